"""What an admin asks for: removing crops, forgetting persons, keeping no longer than agreed, checking the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request

from tapetum.errors import GalleryError
from tapetum.gallery.audit import verify_audit
from tapetum.gallery.gallery import Gallery
from tapetum.gallery.maintenance import chosen, delete, expired, forget
from tapetum.gallery.store import Filter
from tapetum.service.access import Caller, guarded
from tapetum.service.context import Service, caller_of, service_of
from tapetum.service.crop_routes import CropNumber
from tapetum.service.messages import AuditAnswer, ForgetAsked, Removed, RetainAsked
from tapetum.service.refusals import Refused, problems

router = APIRouter(prefix="/api", route_class=guarded("admin"))


@router.delete("/crops/{number}", responses=problems(401, 404, 422))
async def delete_crop(request: Request, number: CropNumber) -> Removed:
    """Remove one crop, and its bytes from the gallery's files."""
    service, caller = service_of(request), caller_of(request)

    def work() -> Removed:
        service.require([number])
        service.audit.append("delete", who=caller.name, role=caller.role, ids=[number])
        with service.removal.writing():
            service.searches.clear()
            return Removed(removed=delete(service.gallery, [number]).removed)

    return await service.changing.run(work)


@router.post("/forget", responses=problems(401, 404, 422))
async def forget_persons(request: Request, asked: ForgetAsked) -> Removed:
    """Remove every crop of these persons, and these crops; then look through every file for what was removed."""
    service, caller = service_of(request), caller_of(request)
    if not asked.persons and not asked.ids:
        raise Refused(422, "who shall be forgotten? Give persons, ids, or both.")

    def work() -> Removed:
        service.require(asked.ids)
        theirs = chosen(service.gallery, Filter(persons=frozenset(asked.persons))) if asked.persons else []
        ids = sorted({*asked.ids, *theirs})
        told = {"persons": len(asked.persons), "ids": len(asked.ids), "crops": len(ids)}
        return _forget(service, caller, "forget", told, ids)

    return await service.changing.run(work)


@router.post("/retain", responses=problems(401, 422))
async def retain(request: Request, asked: RetainAsked) -> Removed:
    """Forget the crops of a camera, or of all, that are older than this; crops without a time stay."""
    service, caller = service_of(request), caller_of(request)

    def work() -> Removed:
        gallery, age = service.gallery, timedelta(days=asked.older_than_days)
        # Times have no zone: they are by the clock of the place, and so is this one.
        ids = expired(gallery, age, datetime.now(), asked.camera)
        told = {"days": asked.older_than_days, "camera": asked.camera, "crops": len(ids)}
        return _forget(service, caller, "retain", told, ids)

    return await service.changing.run(work)


@router.get("/audit/verify", responses=problems(401))
async def check_audit(request: Request) -> AuditAnswer:
    """Whether every entry of the audit log is what was written; `head` is what to note elsewhere."""
    service = service_of(request)
    return await service.searching.run(_audit, service.gallery)


def _forget(service: Service, caller: Caller, action: str, told: dict[str, Any], ids: Sequence[int]) -> Removed:
    """Log what is going to be done, do it while nobody searches, and log what came of it."""
    service.audit.append(action, who=caller.name, role=caller.role, **told)
    with service.removal.writing():
        service.searches.clear()
        done = forget(service.gallery, ids)
    service.audit.append("forgotten", who=caller.name, role=caller.role, **done.to_json())
    return Removed(removed=done.removed, proof=done.to_json())


def _audit(gallery: Gallery) -> AuditAnswer:
    try:
        head = verify_audit(gallery.folder)
    except GalleryError as error:
        return AuditAnswer(entries=0, intact=False, problem=str(error))
    return AuditAnswer(entries=head.number, intact=True, head=str(head))
