"""Turn blockquotes that open with a bold lead into styled callouts.

``> **Predict.** How many ...`` reads well in any Markdown viewer. In the book it
becomes an admonition whose title is the lead and whose class is made from it:
``callout callout-predict``.
"""

from docutils import nodes
from sphinx.transforms import SphinxTransform


class Callouts(SphinxTransform):
    """Replace each such blockquote of a document."""

    default_priority = 400

    def apply(self):
        for quote in list(self.document.findall(nodes.block_quote)):
            lead = lead_of(quote)
            if lead is not None:
                quote.replace_self(callout(quote, lead))


def lead_of(quote):
    """Return the bold text that opens ``quote`` and ends in a full stop, or None."""
    if not quote.children or not isinstance(quote[0], nodes.paragraph):
        return None
    first = next((child for child in quote[0] if child.astext()), None)
    is_lead = isinstance(first, nodes.strong) and first.astext().endswith(".")
    return first if is_lead else None


def callout(quote, lead):
    """Return the admonition that says what ``quote`` says, with ``lead`` as its title."""
    paragraph = quote[0]
    del paragraph[: paragraph.index(lead) + 1]
    if paragraph.children and isinstance(paragraph[0], nodes.Text):
        paragraph[0] = nodes.Text(paragraph[0].lstrip())
    title = nodes.title("", lead.astext().removesuffix("."))
    body = quote.children if paragraph.astext() else quote.children[1:]
    name = nodes.make_id(lead.astext())
    box = nodes.admonition("", title, *body, classes=["callout", f"callout-{name}"])
    box.source, box.line = quote.source, quote.line
    return box


def setup(app):
    app.add_transform(Callouts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
