"""How many input tokens a file that is sent along can be, for frameworks that say its kind and have it in base64."""

from spendgate.wire import sizing


def tokens(provider: str, model: str, media_type: str, data: str) -> int | None:
    """The most input tokens of a file in base64; None for what is not understood.

    >>> tokens("openai", "gpt-4o", "text/plain", "aGVsbG8h")
    6
    """
    kind, _, form = media_type.partition("/")
    if kind == "image":
        return _image(provider, model, data)
    if kind == "audio":
        return sizing.audio(data)
    if kind == "video":
        return sizing.video(data)
    if form == "pdf":
        return sizing.pdf(data, _image(provider, model, ""))
    return sizing.file(data) if kind == "text" or form in ("json", "xml", "yaml") else None


def _image(provider: str, model: str, data: str) -> int:
    if provider in ("anthropic", "aws"):
        return sizing.anthropic_image(model, data)
    if provider == "google":
        return sizing.gemini_image(model, data)
    return sizing.openai_image(model, "auto", data)
