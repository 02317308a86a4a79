"""What the web server runs."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from api.edge.bodies import bounded
from api.edge.lane import Lane

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stalkerr.settings.local")

application = Lane(bounded(get_asgi_application(), settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
