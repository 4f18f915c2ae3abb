"""Creates, changes and deletes one resource with moto's class for its type, and does what those classes leave out."""

import copy
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudformation import parsing
from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends
from moto.ec2.models.core import TaggedEC2Resource
from werkzeug.exceptions import HTTPException

from contactsync.sandbox.stacks.added_resource import AddedResource
from contactsync.sandbox.stacks.found_resources import found
from contactsync.sandbox.stacks.resource_changes import APPLIED, CHECKED, DELETED, UPDATED
from contactsync.sandbox.stacks.resource_rules import NAMES
from contactsync.sandbox.stacks.stack_records import Place, Resource, Stack, StackError

Properties = Mapping[str, Any]
_OF_SECRETS = "AWS::SecretsManager::Secret"


class ResourceFailedError(Exception):
    """An action on a resource has failed; the message is the reason that its event gives."""


def name_for(resource: Resource, stack: Stack) -> str:
    """Return the name that the properties give, or one that CloudFormation would make up."""
    given = resource.properties.get(_name_property(resource.type))
    return str(given or parsing.generate_resource_name(resource.type, stack.name, resource.logical_id))


def create(resource: Resource, stack: Stack) -> None:
    """Create the resource, or raise ResourceFailedError; a second one of the same name is refused."""
    resource.name = name_for(resource, stack)
    if found(resource.type, resource.name, stack.place) is not None:
        raise ResourceFailedError(already_exists(resource.type, resource.name))
    model = _class_of(resource.type)
    if model is None:
        resource.physical_id, resource.model = resource.name, None
        return
    with_action = {"LogicalId": resource.logical_id, "StackId": stack.id, "ResourceType": resource.type}

    def created() -> Any:  # noqa: ANN401 - moto's object
        _check(resource, stack.place)
        given = {"Type": resource.type, "Properties": copy.deepcopy(dict(resource.properties))}
        return model.create_from_cloudformation_json(
            resource.name, given, stack.place.account, stack.place.region, **with_action
        )

    adopt(resource, _attempt(created))
    _apply(APPLIED, resource, stack.place)
    _tag(resource, stack)


def import_found(resource: Resource, model: Any, stack: Stack) -> None:  # noqa: ANN401 - moto's object
    """Let a resource that was there before be the stack's; types of the sandbox's own wrap moto's object."""
    kind = _class_of(resource.type)
    if isinstance(kind, type) and issubclass(kind, AddedResource):
        physical_id = str(getattr(model, "arn" if resource.type == _OF_SECRETS else "name", resource.name))
        model = kind(physical_id, stack.place.account, stack.place.region)
    adopt(resource, model)


def adopt(resource: Resource, model: Any) -> None:  # noqa: ANN401 - moto's object
    """Let moto's object be the resource."""
    resource.model = model
    model.cf_resource_type, model.logical_resource_id = resource.type, resource.logical_id
    resource.physical_id = str(getattr(model, "physical_resource_id", None) or resource.name)


def update(resource: Resource, properties: Properties, stack: Stack) -> None:
    """Give the resource other properties in place, or raise ResourceFailedError."""
    resource.properties = properties
    _attempt(lambda: _check(resource, stack.place))
    if resource.type in APPLIED or resource.type in UPDATED:
        _apply({**APPLIED, **UPDATED}, resource, stack.place)
        _tag(resource, stack)
        return
    model = _class_of(resource.type)
    if model is None or _is_abstract(model.update_from_cloudformation_json):
        return
    given = {"Type": resource.type, "Properties": copy.deepcopy(dict(properties))}
    place = stack.place
    changed = _attempt(
        lambda: model.update_from_cloudformation_json(
            original_resource=resource.model,
            new_resource_name=resource.name,
            cloudformation_json=given,
            account_id=place.account,
            region_name=place.region,
        )
    )
    if changed is not None and not isinstance(changed, dict):
        adopt(resource, changed)


def delete(resource: Resource, stack: Stack) -> None:
    """Delete the resource, or raise ResourceFailedError; one that is already gone is no failure."""
    if resource.type in NAMES and found(resource.type, _found_by(resource), stack.place) is None:
        return
    place = stack.place
    if resource.type in DELETED:
        _attempt(lambda: DELETED[resource.type](resource, place))
        return
    model = _class_of(resource.type)
    if model is None or resource.model is None:
        return
    if hasattr(resource.model, "delete"):
        _attempt(lambda: resource.model.delete(place.account, place.region))
    elif not _is_abstract(model.delete_from_cloudformation_json):
        given = {"Type": resource.type, "Properties": copy.deepcopy(dict(resource.properties))}
        _attempt(
            lambda: model.delete_from_cloudformation_json(resource.physical_id, given, place.account, place.region)
        )


def takes_time(type_name: str) -> bool:
    """Return whether an action on a resource of the type begins at once, and ends or fails later."""
    return bool(getattr(_class_of(type_name), "takes_time", False))


def already_exists(type_name: str, name: str) -> str:
    """Return CloudFormation's reason for a name that is taken."""
    message = f"Resource of type '{type_name}' with identifier '{name}' already exists."
    return _handler_message(message, "AlreadyExists")


def _found_by(resource: Resource) -> str:
    return resource.physical_id if resource.type == _OF_SECRETS else resource.name


def _class_of(type_name: str) -> Any:  # noqa: ANN401 - moto's class
    return parsing.resource_class_from_type(type_name)


def _name_property(type_name: str) -> str:
    return NAMES.get(type_name) or parsing.get_name_type_map().get(type_name) or ""


def _is_abstract(method: object) -> bool:
    return bool(getattr(method, "__isabstractmethod__", False))


def _check(resource: Resource, place: Place) -> None:
    if resource.type in CHECKED:
        CHECKED[resource.type](resource.properties, place)


def _apply(table: Mapping[str, Callable[[Any, Properties, Place], object]], resource: Resource, place: Place) -> None:
    if resource.type in table:
        properties = copy.deepcopy(dict(resource.properties))
        _attempt(lambda: table[resource.type](resource.model, properties, place))


def _tag(resource: Resource, stack: Stack) -> None:
    """Tag a resource of EC2, which moto's classes leave to CloudFormation."""
    if not isinstance(resource.model, TaggedEC2Resource):
        return
    own = {str(tag["Key"]): str(tag["Value"]) for tag in resource.properties.get("Tags") or []}
    tags = {
        **stack.design.tags,
        **own,
        "aws:cloudformation:stack-name": stack.name,
        "aws:cloudformation:stack-id": stack.id,
        "aws:cloudformation:logical-id": resource.logical_id,
    }
    identifier = getattr(resource.model, "allocation_id", None) or resource.physical_id
    ec2_backends[stack.place.account][stack.place.region].create_tags([identifier], tags)


def _attempt(action: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the action returns
    try:
        return action()
    except StackError as error:
        raise ResourceFailedError(_handler_message(error.message, "InvalidRequest")) from error
    except ServiceException as error:
        raise ResourceFailedError(_handler_message(str(error.message), error.code)) from error
    except HTTPException as error:
        raise ResourceFailedError(_handler_message(_said(error), "GeneralServiceException")) from error
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"{type(error).__name__}: {error}"
        raise ResourceFailedError(_handler_message(message, "InvalidRequest")) from error


def _said(error: HTTPException) -> str:
    """Return the message in an error of moto, whose description is the service's answer."""
    given = getattr(error, "message", None)
    if given:
        return str(given)
    description = str(error.description or error)
    try:
        document = json.loads(description)
    except ValueError:
        return description
    return str(document.get("message") or document.get("Message") or description)


def _handler_message(message: str, code: str) -> str:
    return f'Resource handler returned message: "{message}" (RequestToken: {uuid.uuid4()}, HandlerErrorCode: {code})'
