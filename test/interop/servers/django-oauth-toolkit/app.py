# Django and django-oauth-toolkit in one file: a public client, code with PKCE, rotation. For tests on loopback.
import os
import sys

from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=['127.0.0.1'],
    DATABASES={
        'default': {
            'ENGINE': 'django.db.backends.sqlite3',
            'NAME': 'db.sqlite3',
            'OPTIONS': {'timeout': 20},
        }
    },
    DEFAULT_AUTO_FIELD='django.db.models.AutoField',
    INSTALLED_APPS=[
        'django.contrib.auth',
        'django.contrib.contenttypes',
        'django.contrib.sessions',
        'oauth2_provider',
    ],
    MIDDLEWARE=[
        'app.Cors',
        'django.contrib.sessions.middleware.SessionMiddleware',
        'django.contrib.auth.middleware.AuthenticationMiddleware',
    ],
    OAUTH2_PROVIDER={
        'ACCESS_TOKEN_EXPIRE_SECONDS': int(os.environ['ACCESS_TOKEN_SECONDS']),
        'ALLOWED_REDIRECT_URI_SCHEMES': ['http', 'https'],
        'PKCE_REQUIRED': True,
        'REFRESH_TOKEN_GRACE_PERIOD_SECONDS': 0,
        'ROTATE_REFRESH_TOKEN': True,
        'SCOPES': {'read': 'Read'},
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY='a secret for tests on loopback only',
    TEMPLATES=[{'APP_DIRS': True, 'BACKEND': 'django.template.backends.django.DjangoTemplates'}],
    USE_TZ=True,
)
sys.modules.setdefault('app', sys.modules[__name__])

import django

django.setup()

from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from django.contrib.auth import login
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import include, path
from oauth2_provider.models import Application


class Cors:
    # The toolkit leaves CORS to django-cors-headers.
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = HttpResponse() if request.method == 'OPTIONS' else self.get_response(request)
        response['Access-Control-Allow-Origin'] = '*'
        response['Access-Control-Allow-Headers'] = '*'
        return response


def sign_in(request):
    # Stands for a login page.
    user, _ = User.objects.get_or_create(username='alice')
    login(request, user, backend='django.contrib.auth.backends.ModelBackend')
    return HttpResponse()


urlpatterns = [
    path('login', sign_in),
    path('o/', include('oauth2_provider.urls', namespace='oauth2_provider')),
]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def log_message(self, *_):
        pass


call_command('migrate', verbosity=0)
Application.objects.create(
    authorization_grant_type='authorization-code',
    client_id='app',
    client_type='public',
    redirect_uris=os.environ['REDIRECT_URI'],
    skip_authorization=True,
)
make_server(
    '127.0.0.1',
    int(os.environ['PORT']),
    get_wsgi_application(),
    server_class=Server,
    handler_class=Handler,
).serve_forever()
