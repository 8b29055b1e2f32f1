"""Invented goods, people and carriers. Nothing here names a real seller, buyer or telephone."""

from __future__ import annotations

import random
from dataclasses import dataclass

_THINGS = ("保温杯", "帆布包", "手机支架", "棉袜", "雨伞", "收纳盒", "台灯", "充电线", "笔记本", "木梳")
_COLOURS = ("红色", "黑色", "米白", "天蓝", "墨绿")
_SIZES = ("S", "M", "L", "均码", "500ml")
_UNITS = ("件", "个", "双", "套")
_BULK_SHARE = 0.04
_SURNAMES = "甲乙丙丁戊己庚辛壬癸"


@dataclass(frozen=True, slots=True)
class Carrier:
    """A parcel service as 1688 names it."""

    code: str
    number: str
    name: str
    prefix: str


CARRIERS = (
    Carrier("YTO", "3", "圆通速递(YTO)", "YT"),
    Carrier("ZTO", "4", "中通快递(ZTO)", "7"),
    Carrier("SF", "2", "顺丰速运", "SF"),
    Carrier("YUNDA", "102", "韵达快运", "4"),
)

PICTURE_HOST = "https://img.example.invalid/"
"""Stands for where pictures are; answers name it as `worker.sandbox.pictures` says."""

NO_WAYBILL = "无需物流"
"""Field fact: the waybill field may hold this text ("no logistics needed") instead of a number."""


@dataclass(frozen=True, slots=True)
class Goods:
    """One line of an order as it was put in the basket; money in fen."""

    product_id: int
    sku_id: int
    spec_id: str
    name: str
    sku: tuple[tuple[str, str], ...]
    image: str
    unit: str
    quantity: int
    price_fen: int


@dataclass(frozen=True, slots=True)
class Party:
    """A person at either end; member ids look like upstream's "b2b-…"."""

    member_id: str
    login_id: str
    name: str
    mobile: str


@dataclass(frozen=True, slots=True)
class Address:
    """Where an order goes."""

    province: str = "浙江省"
    city: str = "杭州市"
    area: str = "示例区"
    town: str | None = None
    street: str = "示例路 1 号 仓库"
    post: str = "000000"
    district_code: str = "330100"
    phone: str | None = None

    @property
    def whole(self) -> str:
        """All of it in one text."""
        return " ".join(part for part in (self.province, self.city, self.area, self.town, self.street) if part)


WAREHOUSE = Address()
"""Where everything goes of which no call says anything else."""


def invent_goods(rng: random.Random) -> Goods:
    """One line: mostly cheap, now and then a bulk quantity that takes the order over a payment limit."""
    bulk = rng.random() < _BULK_SHARE
    product_id = rng.randrange(600_000_000_000, 800_000_000_000)
    return Goods(
        product_id=product_id,
        sku_id=rng.randrange(4_600_000_000_000, 5_900_000_000_000),
        spec_id=f"{rng.getrandbits(128):032x}",
        name=f"{rng.choice(_THINGS)} {rng.choice(_COLOURS)}",
        sku=(("颜色", rng.choice(_COLOURS)), ("尺码", rng.choice(_SIZES))),
        image=f"{PICTURE_HOST}{product_id}.png",
        unit=rng.choice(_UNITS),
        quantity=rng.randint(60, 200) if bulk else rng.randint(1, 6),
        price_fen=rng.randint(80, 3_500),
    )


def invent_party(rng: random.Random, role: str) -> Party:
    """A buyer or a seller; mobile numbers use a prefix that no carrier has."""
    number = rng.randrange(10**9, 10**10)
    return Party(
        member_id=f"b2b-{number}{number % 97:02d}",
        login_id=f"{role}{number % 100_000}",
        name=f"{rng.choice(_SURNAMES)}{role}",
        mobile=f"1000000{rng.randrange(10_000):04d}",
    )


def invent_waybill(rng: random.Random, carrier: Carrier) -> str:
    """A waybill number in the carrier's style."""
    return f"{carrier.prefix}{rng.randrange(10**12, 10**13)}"
