"""The promises I1 to I6 as judgements: rows, books and changes go in, what is broken comes out as words.

Nothing here knows where the rows come from. The simulator judges its runs with it, and whoever plays with real parts
can do the same: `rows.LEDGER` is one statement for any connection, `books.read_books` takes what the sandbox shows over
HTTP, `changes.Follower` takes records of the change topic.
"""
