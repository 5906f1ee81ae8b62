"""Telling the admins of errors by mail, without a mail for every error.

The first error of a kind is mailed at once; everything after it goes into a digest with counts,
one for each window (15 minutes). At most one mail at once for refusals (4xx) and one for failures
(5xx) goes out in a window, so that a storm is two mails, whatever it is made of.
"""
