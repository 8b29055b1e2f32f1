"""What the marketplaces offer: every operation and every message as data, each with how sure we are of it.

Pure tables. The clients, the sandbox, the documentation and the tests read them; they read nothing of ours.
"""
