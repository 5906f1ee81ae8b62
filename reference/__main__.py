"""`make reference`: write the pages of docs/reference out of the code."""

from reference.pages import FOLDER, PAGES


def main() -> None:
    """Write every page anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())


if __name__ == "__main__":
    main()
