"""A location with its credentials resolved: what the storage takes."""

from finetune_core.api.base import ApiModel


class Place(ApiModel):
    """A ``Location`` whose Secret has become a folder of files, mounted or otherwise at hand."""

    uri: str
    credentials: str | None = None
    """Folder with one file per key (``HF_TOKEN``, ``AWS_ACCESS_KEY_ID``, ...); None: the process's own identity."""
    endpoint_url: str | None = None
    region: str | None = None
    root: str | None = None
    """Folder of this machine that no link may lead out of: a mounted claim, whose files others may have written."""

    def at(self, revision: str | None) -> "Place":
        """The model of the hub that it is at that commit; None, which any other place has: the place as it is."""
        if revision is None:
            return self
        return self.model_copy(update={"uri": f"{self.uri.partition('@')[0]}@{revision}"})

    def below(self, *parts: str) -> "Place":
        """The place of that name inside this one."""
        return self.model_copy(update={"uri": "/".join([self.uri.rstrip("/"), *parts])})
