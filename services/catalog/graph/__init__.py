"""A part of the catalog as a picture: nodes and arrows, Mermaid, SVG. Pure; no SQL, no HTTP."""
