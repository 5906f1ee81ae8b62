"""`make reference`: write the pages of docs/reference out of the code."""

from reference.pages import FOLDER, pages


def main() -> None:
    """Write every page anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
