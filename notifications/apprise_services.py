"""The services that Apprise may be used for: those whose host the service itself fixes.

Derived from Apprise's plugins by three rules, which tests/contract/test_apprise_services.py holds
against the installed version: no template or argument takes a host, there is TLS only, and every
address in the plugin leads to a host named here. The proxy lets a send reach these and no others.
Left out besides: what has a kind of channel of its own.
"""

from typing import Final, NamedTuple


class Service(NamedTuple):
    module: str  # of Apprise's plugins: to load one takes half as long as to load all
    hosts: tuple[str, ...]


SERVICES: Final[dict[str, Service]] = {
    "46elks": Service("fortysixelks", ("api.46elks.com",)),
    "bale": Service("bale", ("tapi.bale.ai",)),
    "brevo": Service("brevo", ("api.brevo.com",)),
    "bulksms": Service("bulksms", ("api.bulksms.com",)),
    "bulkvs": Service("bulkvs", ("portal.bulkvs.com",)),
    "burstsms": Service("burstsms", ("api.transmitsms.com",)),
    "chanify": Service("chanify", ("api.chanify.net",)),
    "clickatell": Service("clickatell", ("platform.clickatell.com",)),
    "clicksend": Service("clicksend", ("rest.clicksend.com",)),
    "cm": Service("cm", ("gw.messaging.cm.com",)),
    "d7sms": Service("d7networks", ("api.d7networks.com",)),
    "dingtalk": Service("dingtalk", ("oapi.dingtalk.com",)),
    "eight00com": Service("eight00com", ("api.800.com",)),
    "elks": Service("fortysixelks", ("api.46elks.com",)),
    "feishu": Service("feishu", ("open.feishu.cn",)),
    "firehydrant": Service("firehydrant", ("signals.firehydrant.com",)),
    "flock": Service(
        "flock",
        (
            "api.flock.co",
            "api.flock.com",
        ),
    ),
    "freemobile": Service("freemobile", ("smsapi.free-mobile.fr",)),
    "gchat": Service("google_chat", ("chat.googleapis.com",)),
    "github": Service("github", ("api.github.com",)),
    "groundmail": Service("groundmail", ("api.groundmail.dev",)),
    "groupme": Service(
        "groupme",
        (
            "api.groupme.com",
            "image.groupme.com",
        ),
    ),
    "guilded": Service("guilded", ("media.guilded.gg",)),
    "gupshup": Service("gupshup", ("api.gupshup.io",)),
    "httpsms": Service("httpsms", ("api.httpsms.com",)),
    "ifttt": Service("ifttt", ("maker.ifttt.com",)),
    "ilert": Service("ilert", ("api.ilert.com",)),
    "incidentio": Service("incidentio", ("api.incident.io",)),
    "join": Service("join", ("joinjoaomgcd.appspot.com",)),
    "kook": Service("kook", ("www.kookapp.cn",)),
    "kudosity": Service("burstsms", ("api.transmitsms.com",)),
    "kumulos": Service("kumulos", ("messages.kumulos.com",)),
    "lark": Service("lark", ("open.larksuite.com",)),
    "lauther": Service("lauther", ("api.lauther.id",)),
    "lfg": Service("lfgalarm", ("api.lfg.gm",)),
    "line": Service("line", ("api.line.me",)),
    "mailersend": Service("mailersend", ("api.mailersend.com",)),
    "mobilemessage": Service("mobilemessage", ("api.mobilemessage.com.au",)),
    "mobilemsg": Service("mobilemessage", ("api.mobilemessage.com.au",)),
    "msg91": Service("msg91", ("control.msg91.com",)),
    "msgbird": Service("messagebird", ("rest.messagebird.com",)),
    "nexmo": Service("vonage", ("rest.nexmo.com",)),
    "notifiarr": Service("notifiarr", ("notifiarr.com",)),
    "notifyapp": Service("notifyapp", ("push.getnotifyapp.com",)),
    "octopush": Service("octopush", ("api.octopush.com",)),
    "onesignal": Service("one_signal", ("api.onesignal.com",)),
    "pagertree": Service("pagertree", ("api.pagertree.com",)),
    "pbul": Service("pushbullet", ("api.pushbullet.com",)),
    "plivo": Service("plivo", ("api.plivo.com",)),
    "postmark": Service("postmark", ("api.postmarkapp.com",)),
    "prowl": Service("prowl", ("api.prowlapp.com",)),
    "push": Service("techuluspush", ("push.techulus.com",)),
    "pushed": Service("pushed", ("api.pushed.co",)),
    "pushplus": Service("pushplus", ("www.pushplus.plus",)),
    "pushward": Service("pushward", ("api.pushward.app",)),
    "pushy": Service("pushy", ("api.pushy.me",)),
    "qq": Service("qq", ("qmsg.zendee.cn",)),
    "resend": Service("resend", ("api.resend.com",)),
    "revolt": Service("revolt", ("api.revolt.chat",)),
    "schan": Service("serverchan", ("sctapi.ftqq.com",)),
    "sendgrid": Service("sendgrid", ("api.sendgrid.com",)),
    "serwersms": Service("serwersms", ("api2.serwersms.pl",)),
    "seven": Service("seven", ("gateway.seven.io",)),
    "signalgrid": Service("signalgrid", ("api.signalgrid.co",)),
    "signl4": Service("signl4", ("connect.signl4.com",)),
    "simplepush": Service("simplepush", ("api.simplepu.sh",)),
    "smsc": Service("smsc", ("smsc.ru",)),
    "smsmanager": Service("smsmanager", ("http-api.smsmanager.cz",)),
    "smsmgr": Service("smsmanager", ("http-api.smsmanager.cz",)),
    "smstunnel": Service("smstunnel", ("smstunnel.io",)),
    "spike": Service("spike", ("api.spike.sh",)),
    "splunk": Service("splunk", ("alert.victorops.com",)),
    "spugpush": Service("spugpush", ("push.spug.dev",)),
    "spush": Service("simplepush", ("api.simplepu.sh",)),
    "stackfield": Service("stackfield", ("www.stackfield.com",)),
    "strmlabs": Service("streamlabs", ("streamlabs.com",)),
    "telesign": Service("telesign", ("rest-ww.telesign.com",)),
    "telnyx": Service("telnyx", ("api.telnyx.com",)),
    "threema": Service("threema", ("msgapi.threema.ch",)),
    "viber": Service("viber", ("chatapi.viber.com",)),
    "victorops": Service("splunk", ("alert.victorops.com",)),
    "voipms": Service("voipms", ("voip.ms",)),
    "vonage": Service("vonage", ("rest.nexmo.com",)),
    "webex": Service(
        "webexteams",
        (
            "api.ciscospark.com",
            "webexapis.com",
        ),
    ),
    "wecom": Service("pushplus", ("www.pushplus.plus",)),
    "wecombot": Service("wecombot", ("qyapi.weixin.qq.com",)),
    "whapi": Service("whapi", ("gate.whapi.cloud",)),
    "whatsapp": Service("whatsapp", ("graph.facebook.com",)),
    "wpush": Service("wpush", ("api.wpush.cn",)),
    "wxpusher": Service("wxpusher", ("wxpusher.zjiecode.com",)),
    "wxteams": Service(
        "webexteams",
        (
            "api.ciscospark.com",
            "webexapis.com",
        ),
    ),
    "youlmk": Service("youlmk", ("youlmk.com",)),
    "zalo": Service("zalo", ("bot-api.zaloplatforms.com",)),
}  # by the scheme of the URL

# Schemes of Apprise for which there is a kind of channel here: that one knows the service better.
OWN_KINDS: Final[dict[str, str]] = {
    **dict.fromkeys(("discord",), "discord"),
    **dict.fromkeys(("slack",), "slack"),
    **dict.fromkeys(("tgram",), "telegram"),
    **dict.fromkeys(("pover",), "pushover"),
    **dict.fromkeys(("ntfy", "ntfys"), "ntfy"),
    **dict.fromkeys(("gotify", "gotifys"), "gotify"),
    **dict.fromkeys(("matrix", "matrixs"), "matrix"),
    **dict.fromkeys(("mailto", "mailtos"), "email"),
    **dict.fromkeys(("json", "jsons", "form", "forms", "xml", "xmls"), "webhook"),
    **dict.fromkeys(("vapid",), "web_push"),
}
