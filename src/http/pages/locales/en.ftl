### English: what people read on the pages. This file is the model for every other language: the same messages, with the
### same variables. How to translate is told in docs/pages.md.

## Sign in

login-title = Sign in
# $client (text): the name of the application that sent the person here.
login-heading = Sign in to continue to { $client }
login-username = Username
login-password = Password
login-submit = Sign in
login-wrong = Username or password is wrong.
login-throttled = There were too many attempts. Wait a little, then try again.
login-busy = Many people are signing in. Try again in a moment.
login-unavailable = Nobody can sign in right now. Try again in a moment.
login-other-browser = This page was opened in another browser, or lay open too long. Please sign in here. If you see this again, allow this site to keep cookies.
login-again = You are not signed in any more. Please sign in again, nothing was allowed yet.

## Consent

consent-title = Allow access
# $client (text): the name of the application that asks.
consent-heading = { $client } asks for access
# $user (text): the name of the person who is signed in.
consent-signed-in = You are signed in as { $user }.
consent-permissions = If you allow it, { $client } may, in your name:
consent-identity = If you allow it, { $client } learns who you are.
consent-optional = You may leave these out:
consent-none-left = Leave at least one of them, or do not allow access at all.
consent-other-session = This browser has signed in again since this page was opened, perhaps as somebody else. Nothing was allowed yet: please answer once more.
consent-resources = It may do so at:
# $count (number): how many.
consent-lasts-days =
    { $count ->
        [one] This lasts at most { $count } day.
       *[other] This lasts at most { $count } days.
    }
consent-lasts-hours =
    { $count ->
        [one] This lasts at most { $count } hour.
       *[other] This lasts at most { $count } hours.
    }
consent-lasts-minutes =
    { $count ->
        [one] This lasts at most { $count } minute.
       *[other] This lasts at most { $count } minutes.
    }
consent-lasts-seconds =
    { $count ->
        [one] This lasts at most { $count } second.
       *[other] This lasts at most { $count } seconds.
    }
# $host (text): the host that the person is sent back to.
consent-back = You will go back to { $host }.
consent-allow = Allow
consent-deny = Do not allow
consent-switch = Not you? Use another account
consent-about = About { $client }
consent-privacy = Privacy
consent-terms = Terms of service

## Going back, where the browser sends a form

back-title = Going back
back-heading = Going back to { $host }
back-text = If nothing happens, press the button.
back-submit = Continue

## A request that waited too long

late-title = This took too long
# $client (text): the name of the application to go back to.
late-text = The page lay open for more than half an hour, so nothing more was done. Go back to { $client } and start again.
late-back = Back to { $client }

## Sign out

logout-title = Sign out
logout-heading = Sign out?
logout-text = You will have to sign in again the next time an application sends you here.
logout-submit = Sign out
signed-out-title = Signed out
signed-out-text = You are signed out here. An application that you used may still know you until you sign out there too.

## Errors. What has a sentence on the wire too says the same here.

error-title = This did not work
# $id (text): what the operator finds in the log.
error-id = If it happens again, tell whoever runs this server: { $id }
error-stale = This page is too old, or was opened in another browser. Go back to the application and start again.
error-unknown-client = The application is not registered here.
error-redirect-uri-missing = The application did not say where to go back to.
error-redirect-uri-mismatch = The application wants to go back to an address that it has not registered.
error-parameter-not-utf8 = A parameter is not valid UTF-8.
error-parameter-repeated = A parameter is sent more than once.
error-parameter-too-long = A parameter is too long.
error-parameters-too-many = There are too many parameters.
error-parameter-missing = A required parameter is missing.
error-not-a-form = The body is not application/x-www-form-urlencoded.
error-body-too-long = The body is longer than 64 KiB.
error-body-broken-off = The body ended before its end.
error-unavailable = The server cannot answer now, try again later.
error-server = Something is wrong with the server.
error-other = The request cannot be answered. Go back to the application and start again.
