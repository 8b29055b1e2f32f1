"""Dead letters for people: shown without personal data, sent again, watched so that none can hide."""
