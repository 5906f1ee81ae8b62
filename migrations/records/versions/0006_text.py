"""Text as people compare it: folded for search, and keys to sort by; search indexes on the folded.

PostgreSQL's builtin provider has no ICU and the extension `unaccent` is not everywhere. Normalising
a text takes ten times as long as folding it, so what cannot need it goes past it: ASCII, and text
of letters that have neither accents nor other spellings.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Letters that no accent, decomposition or special rule touches: ASCII, Greek and Cyrillic without
# marks (not the final sigma, whose lower case depends on its place), kana, Chinese characters,
# Korean syllables.
INERT = (
    r"\u0001-\u007f\u0391-\u03a9\u03b1-\u03c1\u03c3-\u03c9\u0410-\u0418\u041a-\u0438\u043a-\u044f"
    r"\u3041-\u304a\u4e00-\u9fff\uac00-\ud7a3"
)
MARKS = r"\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"

# `casefold` came with PostgreSQL 18, and with it the collation that knows the whole of Unicode.
CASEFOLD = 'casefold({text} COLLATE "pg_unicode_fast")'
LOWER = r"translate(lower({text}), U&'\03c2', U&'\03c3')"

# None of these is STRICT, so that the planner can write them out where they are called.
CASED = """
CREATE FUNCTION records.cased(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT CASE
    WHEN octet_length(value) = char_length(value) THEN lower(value COLLATE "C") COLLATE "C"
    WHEN value !~ '[^{inert}]' THEN {fold_value} COLLATE "C"
    ELSE normalize({fold_decomposed}, NFC) COLLATE "C"
END
$$
"""

# The slow part, for text that is not inert. The Cyrillic short i is a letter of its own to its
# readers. Letters that have no decomposition (a crossed o, a ligature) are spelled out.
UNACCENTED = """
CREATE FUNCTION records.unaccented(value text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
    letters text := regexp_replace(
        replace({fold_decomposed}, E'\\u0438\\u0306', E'\\u0439'), '[{marks}]+', '', 'g'
    );
BEGIN
    IF octet_length(letters) = char_length(letters) THEN
        RETURN letters;
    END IF;
    letters := normalize(letters, NFC);
    IF letters ~ '[øłđðħıŧæœß]' THEN
        letters := translate(letters, 'øłđðħıŧ', 'olddhit');
        letters := replace(replace(replace(letters, 'æ', 'ae'), 'œ', 'oe'), 'ß', 'ss');
    END IF;
    RETURN letters;
END
$$
"""

FOLDED = """
CREATE FUNCTION records.folded(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT CASE
    WHEN octet_length(value) = char_length(value) THEN lower(value COLLATE "C") COLLATE "C"
    WHEN value !~ '[^{inert}]' THEN {fold_value} COLLATE "C"
    ELSE records.unaccented(value) COLLATE "C"
END
$$
"""

# Letters first, then accents; what is equal in both goes by code point, which the caller adds.
SORT_KEY = """
CREATE FUNCTION records.sort_key(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT CASE
    WHEN octet_length(value) = char_length(value) THEN lower(value COLLATE "C") COLLATE "C"
    WHEN value !~ '[^{inert}]' THEN {fold_value} COLLATE "C"
    ELSE (records.unaccented(value) || E'\\x01' || {fold_value}) COLLATE "C"
END
$$
"""

COMPOSED = """
CREATE FUNCTION records.composed(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
SELECT CASE
    WHEN octet_length(value) = char_length(value) OR value !~ '[^{inert}]' THEN value
    ELSE normalize(value, NFC)
END
$$
"""

FUNCTIONS = ("cased", "unaccented", "folded", "sort_key", "composed")

# An index is on the bare column before this revision, on the folded text after it.
REINDEX = """
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT i.indexrelid::regclass AS index, i.indrelid::regclass AS relation, a.attname AS name
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'data'::regnamespace
        JOIN pg_opclass o ON o.oid = i.indclass[0] AND o.opcname = 'gin_trgm_ops'
        JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
            AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid
            AND d.refobjsubid > 0
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid
        WHERE i.indnatts = 1
    LOOP
        EXECUTE format('DROP INDEX %s', found.index);
        EXECUTE format(
            'CREATE INDEX ON %s USING gin ({expression} gin_trgm_ops)', found.relation, found.name
        );
    END LOOP;
END
$$
"""


def upgrade() -> None:
    # The functions belong to `records`, which has no CREATE here; anybody who writes to a table
    # with such an index calls them.
    op.execute("GRANT CREATE ON SCHEMA records TO records")
    op.execute("SET LOCAL ROLE records")
    fold = CASEFOLD if _server_version() >= 180000 else LOWER
    for function in (CASED, UNACCENTED, FOLDED, SORT_KEY, COMPOSED):
        op.execute(
            function.format(
                inert=INERT,
                marks=MARKS,
                fold_value=fold.format(text="value"),
                fold_decomposed=fold.format(text="normalize(value, NFD)"),
            )
        )
    op.execute(REINDEX.replace("{expression}", 'records.folded(%I) COLLATE "C"'))
    op.execute("RESET ROLE")
    op.execute("REVOKE CREATE ON SCHEMA records FROM records")


def downgrade() -> None:
    op.execute("SET LOCAL ROLE records")
    op.execute(REINDEX.replace("{expression}", "%I"))
    for name in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION records.{name}(text)")
    op.execute("RESET ROLE")


def _server_version() -> int:
    number = op.get_bind().exec_driver_sql("SHOW server_version_num").scalar()
    return int(str(number))
