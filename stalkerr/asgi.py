"""What the web server runs."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "stalkerr.settings.local")

application = get_asgi_application()
