"""From the words of a URL to one statement: parameters, plan, SQL. Pure; nothing here runs SQL."""
