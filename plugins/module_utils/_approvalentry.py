# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``approval_info``: a few reads of AWX's API within one deadline. Neither Ansible nor a driver."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Mapping
from urllib.parse import SplitResult, urlsplit

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _http
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._approval import (
    NotAwx,
    approval_before,
    approved,
    nodes_from,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._httpapi import guarded

_API = "/api/v2"
# A workflow has a dozen nodes; one with more pages than this is not ours.
_PAGE, _MOST_PAGES = 200, 5
_WHY = "So it is not known who approved it."
_CREDENTIAL = (
    "Give the job a credential of the type Red Hat Ansible Automation Platform whose user may read the workflow."
)


@dataclass
class Request:
    """What the module was asked for. ``token`` and ``password`` are shown nowhere."""

    url: SplitResult
    workflow_job_id: int
    job_id: int
    seconds: float
    user: str = ""
    token: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    validate_certs: bool = True
    ca_certs: str | None = None


def request_from(params: Mapping[str, Any]) -> Request:
    """Return the request that the module's parameters describe; raises BadInput."""
    host = str(params["url"] or "").strip()
    if not host:
        raise BadInput("no_address", "It is not known where AWX is.", _WHY, _CREDENTIAL)
    # As in awx.awx: a bare host name is an https address.
    parts = _http.base(host if "://" in host else f"https://{host}", "url")
    if not params["token"] and not (params["username"] and params["password"]):
        raise BadInput("no_login", "There is no token for AWX, and no user with a password.", _WHY, _CREDENTIAL)
    return Request(
        url=guarded(parts, "url", "Whoever is on the way could read the token and act with it."),
        workflow_job_id=params["workflow_job_id"],
        job_id=params["job_id"],
        seconds=params["deadline"],
        user=params["username"] or "",
        token=params["token"] or "",
        password=params["password"] or "",
        validate_certs=params["validate_certs"],
        ca_certs=params["ca_certs"],
    )


def approval_of(request: Request) -> dict[str, Any]:
    """Return who approved what this job does, and who asked for it; raises KanbanError if that is not known."""
    reader = _Reader(request)
    try:
        nodes, path = [], f"/workflow_jobs/{request.workflow_job_id}/workflow_nodes/?page_size={_PAGE}"
        for _page in range(_MOST_PAGES):
            more, path = nodes_from(reader.read(path))
            nodes += more
            if not path:
                break
        approval = approval_before(nodes, request.job_id)
        found = approved(
            reader.read(f"/workflow_approvals/{approval}/"), reader.read(f"/workflow_jobs/{request.workflow_job_id}/")
        )
    except NotAwx as error:
        raise _not_awx(str(error)) from None
    return {"changed": False, "approval_id": approval, **found}


class _Reader:
    def __init__(self, request: Request) -> None:
        self._request, self._deadline = request, Deadline(request.seconds)
        pair = base64.b64encode(f"{request.user}:{request.password}".encode()).decode()
        self._headers = {"Authorization": f"Bearer {request.token}" if request.token else f"Basic {pair}"}

    def read(self, path: str) -> Any:
        """Return what is at a path of the API, or at one that the API itself named."""
        request, named = self._request, urlsplit(path)
        where = named.path if named.path.startswith(_API) else _API + named.path
        parts = _http.under(request.url, where)._replace(query=named.query)
        asked = _http.Request(parts, "GET", self._headers, None, request.validate_certs, request.ca_certs)
        try:
            reply = _http.ask(asked, self._deadline.left)
        except _http.NoAnswer as error:
            raise KanbanError(
                "no_answer", f"AWX cannot be asked: {error}.", _WHY, "Look at the address, then launch the job again."
            ) from None
        if reply.status != 200:
            raise KanbanError("refused", f"AWX answered {reply.status}.", _WHY, _CREDENTIAL, status_code=reply.status)
        try:
            return json.loads(reply.body)
        except ValueError:
            raise _not_awx("its answer is no JSON") from None


def _not_awx(why: str) -> KanbanError:
    return KanbanError(
        "not_awx", f"What answers does not speak AWX's API: {why}.", _WHY, "Give AWX's own address as url."
    )
