"""What the web server runs."""

import os

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stalkerr.settings.local")
django.setup()  # before the lane, which knows models

from django.core.asgi import get_asgi_application  # noqa: E402

from api.edge.bodies import bounded  # noqa: E402
from api.edge.lane import Lane  # noqa: E402
from api.edge.witness import Witness  # noqa: E402
from workers import starting  # noqa: E402

starting.refuse()

_django = bounded(get_asgi_application(), settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
application = Witness(Lane(_django))
