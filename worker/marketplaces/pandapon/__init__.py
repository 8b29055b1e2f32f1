"""PandaPon OpenAPI, and the callbacks of its Xport twin."""
