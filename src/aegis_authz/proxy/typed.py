"""Small parts that every piece of Envoy configuration is made of."""

from __future__ import annotations

from datetime import timedelta

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    ApiVersion,
    ConfigSource,
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
    PathConfigSource,
    Pipe,
    SocketAddress,
    TypedExtensionConfig,
    WatchedDirectory,
)
from envoy_data_plane.google.protobuf import Any

from aegis_authz.core.address import TcpAddress, UnixAddress


def packed(message: Message) -> Any:
    """A message as google.protobuf.Any, with the `@type` Envoy finds its extensions by."""
    return Any.pack(message)


def extension(name: str, message: Message) -> TypedExtensionConfig:
    """A named extension and its configuration."""
    return TypedExtensionConfig(name=name, typed_config=packed(message))


def milliseconds(number: int) -> timedelta:
    """A duration of whole milliseconds."""
    return timedelta(milliseconds=number)


def address_of(place: UnixAddress | TcpAddress) -> Address:
    """Where Envoy reaches a server. Raises ValueError for port 0."""
    match place:
        case UnixAddress(path):
            return Address(pipe=Pipe(path=path))
        case TcpAddress(host, port):
            if port == 0:
                raise ValueError(f"{host}: nobody is reached at port 0")
            return Address(socket_address=SocketAddress(address=host, port_value=port))


def watched_file(folder: str, name: str) -> ConfigSource:
    """A file of resources, read again whenever something is moved into its folder."""
    return ConfigSource(
        path_config_source=PathConfigSource(path=f"{folder}/{name}", watched_directory=WatchedDirectory(path=folder)),
        resource_api_version=ApiVersion.V3,
    )


def overwritten(name: str, value: str) -> HeaderValueOption:
    """A header that replaces whatever is there."""
    return HeaderValueOption(
        header=HeaderValue(key=name, value=value),
        append_action=HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    )
