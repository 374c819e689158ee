"""Locations as a pod sees them: claims, ConfigMaps and Secrets become folders."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from finetune_core.api import Location
from finetune_core.api.location import ClaimUri, ConfigMapUri, HubUri, parse_uri
from finetune_core.contract import Place
from finetune_core.contract.build import Role
from finetune_core.contract.environment import (
    CLAIMS_FOLDER,
    CONFIG_MAPS_FOLDER,
    MODEL_CACHE_FOLDER,
    MODEL_CACHE_VARIABLE,
    SECRETS_FOLDER,
)
from finetune_operator.settings import Settings

_MODEL_CACHE = "model-cache"


@dataclass
class Mounts:
    """What the locations of one pod need mounted; filled while they are resolved."""

    settings: Settings
    volumes: dict[str, dict[str, Any]] = field(default_factory=dict)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    """By which the pod knows of what is mounted, where its config does not tell."""

    def place_of(self, location: Location, role: Role) -> Place:
        """The place a pod reads or writes: its claim mounted below a folder, Secret and ConfigMap by role.

        What comes from the hub goes to the shared cache, where there is one.
        """
        uri, root = location.uri, None
        where = parse_uri(uri)
        if isinstance(where, ClaimUri):
            root = f"{CLAIMS_FOLDER}/{where.claim}"
            self._mount(f"claim-{len(self.volumes)}", root, {"persistentVolumeClaim": {"claimName": where.claim}})
            uri = f"file://{root}/{quote(where.path)}".rstrip("/")
        if isinstance(where, ConfigMapUri):
            root = f"{CONFIG_MAPS_FOLDER}/{role}"
            source = {"name": where.name, "items": [{"key": where.key, "path": where.key}], "defaultMode": 0o440}
            self._mount(f"configmap-{role}", root, {"configMap": source}, read_only=True)
            uri = f"file://{root}/{quote(where.key)}"
        if isinstance(where, HubUri) and self.settings.model_cache_claim:
            claim = {"claimName": self.settings.model_cache_claim}
            self._mount(_MODEL_CACHE, MODEL_CACHE_FOLDER, {"persistentVolumeClaim": claim})
            # Only the cache: HF_HOME would hold more, such as a login.
            self.environment = {MODEL_CACHE_VARIABLE: MODEL_CACHE_FOLDER, "HF_HUB_CACHE": MODEL_CACHE_FOLDER}
        credentials = None
        if location.secret_name is not None:
            credentials = f"{SECRETS_FOLDER}/{role}"
            secret = {"secret": {"secretName": location.secret_name, "defaultMode": 0o440}}
            self._mount(f"secret-{role}", credentials, secret, read_only=True)
        s3 = uri.startswith("s3:")
        return Place(
            uri=uri,
            credentials=credentials,
            endpoint_url=location.endpoint_url or (self.settings.s3_endpoint_url or None if s3 else None),
            region=location.region or (self.settings.s3_region or None if s3 else None),
            root=root,
        )

    @property
    def has_claim(self) -> bool:
        """Whether a volume is mounted that may be bound to a node; the shared cache must not be."""
        return any("persistentVolumeClaim" in self.volumes[name] for name in self.volumes.keys() - {_MODEL_CACHE})

    def _mount(self, name: str, path: str, source: dict[str, Any], read_only: bool = False) -> None:
        if path not in {mount["mountPath"] for mount in self.mounts}:
            self.volumes[name] = source
            self.mounts.append({"name": name, "mountPath": path} | ({"readOnly": True} if read_only else {}))
