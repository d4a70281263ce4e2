"""Makes accounts. Whoever makes an administrator makes somebody who may do everything, so it is on record."""

from __future__ import annotations

from django.contrib.auth import password_validation
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from policy import audit
from policy.actors import Actor
from policy.errors import Conflict, Invalid, NotAllowed


def create_user(
    username: str, *, email: str = "", password: str | None = None, is_admin: bool = False, by: Actor
) -> User:
    """A person. Without a password nobody can sign in with this account until one is set."""
    if not by.owns_installation and not by.is_superuser:
        raise NotAllowed("Only a superuser may make accounts.")
    if User.objects.filter(username__iexact=username).exists():
        raise Conflict(f"There is a person {username} already.")
    user = User(username=username, email=email.strip(), is_staff=is_admin, is_superuser=is_admin)
    _set_password(user, password)
    _validate(user)
    with transaction.atomic():
        user.save(force_insert=True)
        after = {"username": username, "email": user.email, "admin": is_admin}
        audit.append("user.created", actor=by, subject=f"user:{user.pk}", after=after)
    return user


def change_password(user: User, password: str, *, by: Actor) -> None:
    """The person's own, checked by the form that asked for it."""
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        audit.append("user.password_changed", actor=by, subject=f"user:{user.pk}", after={"username": user.username})


def shares_address(user: User) -> bool:
    """Accounts with one address count as one person in approvals."""
    return bool(user.email) and User.objects.filter(email__iexact=user.email).exclude(pk=user.pk).exists()


def _set_password(user: User, password: str | None) -> None:
    if password is None:
        user.set_unusable_password()
        return
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise Invalid(f"The password is too weak: {' '.join(error.messages)}", field="password") from None
    user.set_password(password)


def _validate(user: User) -> None:
    try:
        user.full_clean(validate_unique=False)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Invalid(f"{field}: {' '.join(messages)}", field=field) from None
