"""What every service stands on: contracts, errors, tokens, database, logging and the app factory.

Never here: business rules, a service's tables, anything with one user.
"""
