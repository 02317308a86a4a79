"""The pages behind the links in our messages: confirm an address, switch a channel off.

Mail scanners and previews open links: looking changes nothing, only a POST does. Neither page knows
or needs a session. The signed link itself is what permits, so there is no CSRF token either: whoever
has the link could as well press its button, and mail programs that unsubscribe by one click
(RFC 8058) send no cookie and have never seen the page.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from api.rest.deliveries import tell_soon
from api.throttling import LINKS, limited
from notifications import links
from notifications.confirmation import confirm_channel, linked_channel
from notifications.unsubscribing import unsubscribe_channel, unsubscribed_channel
from stalkerr import clock

# The address holds what permits: it is not kept, not passed on, not indexed.
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_NEWER: Final = (
    "It may have been cut in two, be older than seven days, or have been replaced by a newer one. "
    "Ask for another one where you made the channel."
)
_NOTHING: Final = "It may have been cut in two, or its channel is gone: then nothing is sent there."

Page = Callable[[HttpRequest, str], HttpResponse]


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@limited("links", LINKS)
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Confirms the address of a channel."""
    try:
        if request.method == "POST":
            return _confirmed(request, token)
        channel = linked_channel(token=token)
    except links.BadLinkError:
        return _absent(request, _NEWER)
    if channel.unconfirmed_since is None:
        return _page(request, "This address is confirmed", "There is nothing left to do.")
    return _page(
        request,
        "Do you want to hear of audiobooks here?",
        "Somebody, most likely you, asked Stalkerr to send news to the address to which this link "
        "was sent.",
        button="Yes, confirm this address",
    )


def _confirmed(request: HttpRequest, token: str) -> HttpResponse:
    confirmed = confirm_channel(token=token, now=clock.now())
    channel, count = confirmed.channel, confirmed.replayed
    words = "From now on news is sent there."
    if channel.disabled_at is not None:
        words = "But its channel is switched off: enable it to hear of anything."
    elif count:
        tell_soon(channel.kind, channel.pk)
        words += " What came in the meantime is on its way."
    return _page(request, "This address is confirmed", words)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@limited("links", LINKS)
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Switches a channel off."""
    try:
        if request.method == "POST":
            channel = unsubscribe_channel(token=token, now=clock.now())
        else:
            channel = unsubscribed_channel(token=token)
    except links.BadLinkError:
        return _absent(request, _NOTHING)
    if channel.disabled_at is not None:
        return _off(request)
    return _page(
        request,
        "Do you want to hear nothing more here?",
        "The channel by which you got the message is switched off. News that comes meanwhile is "
        "kept for 30 days, should its owner enable it again.",
        button="Yes, switch it off",
    )


def _off(request: HttpRequest) -> HttpResponse:
    words = "Nothing more is sent there. Its owner can enable it again."
    return _page(request, "This channel is switched off", words)


def _absent(request: HttpRequest, words: str) -> HttpResponse:
    heading = "This link is not valid (any more)"
    return _page(request, heading, words, status=HTTPStatus.NOT_FOUND)


def _page(
    request: HttpRequest, heading: str, words: str, *, button: str = "", status: int = 200
) -> HttpResponse:
    context = {"heading": heading, "words": words, "button": button}
    answer = render(request, "api/link.html", context, status=status)
    for name, value in _HEADERS.items():
        answer[name] = value
    return answer
