"""The route by which operators see which notices reached nobody."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from aegis_authz.api.notices import ChannelAnswer, ChannelsAnswer, NoticeAnswer, UndeliveredAnswer
from aegis_authz.control.approvals.callbacks import CallbackCourier
from aegis_authz.control.gate import Authentication, needs, people_router
from aegis_authz.notices.delivery import Courier
from aegis_authz.people.permissions import Permission

Limit = Annotated[int, Query(ge=1, le=200, description="The most notices.")]


def notice_routes(
    courier: Courier | None, callbacks: CallbackCourier | None, authentication: Authentication
) -> list[APIRouter]:
    """What became of notices, for those who may see the approvals of the whole mesh."""
    people = people_router(authentication)

    @people.get("/v1/notices/undelivered", dependencies=[needs(Permission.READ_APPROVALS)])
    async def list_undelivered_notices(limit: Limit = 50) -> UndeliveredAnswer:
        """List the notices that were given up, the newest first."""
        notices = [] if courier is None else await courier.outbox.undelivered(limit)
        return UndeliveredAnswer(undelivered=tuple(map(NoticeAnswer.of, notices)))

    @people.get("/v1/notices/channels", dependencies=[needs(Permission.READ_APPROVALS)])
    async def list_channels() -> ChannelsAnswer:
        """Tell how each channel does: one that fails is dead for whoever waits for its messages."""
        channels = [] if courier is None else courier.health()
        if callbacks is not None:
            channels.append(callbacks.health())
        return ChannelsAnswer(channels=tuple(ChannelAnswer(**asdict(health)) for health in channels))

    return [people]
