"""Taobao's purchase orders: objects are the upstream's (inferred), money is whole fen, times are Unix milliseconds."""
