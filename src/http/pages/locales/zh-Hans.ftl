### 简体中文：页面上显示给用户的文字。消息与变量须与 en.ftl 一致。

## 登录

login-title = 登录
login-heading = 登录以继续使用“{ $client }”
login-username = 用户名
login-password = 密码
login-submit = 登录
login-wrong = 用户名或密码不正确。
login-throttled = 尝试次数过多。请稍候再试。
login-busy = 当前登录人数较多。请稍后再试。
login-unavailable = 目前无法登录。请稍后再试。
login-other-browser = 此页面是在另一个浏览器中打开的，或者打开时间过长。请在此处登录。如果再次看到此提示，请允许本站使用 Cookie。
login-again = 您已不再处于登录状态。请重新登录，尚未授予任何权限。

## 授权

consent-title = 授予访问权限
consent-heading = “{ $client }”请求访问权限
consent-signed-in = 您当前登录的账号是 { $user }。
consent-permissions = 如果您允许，“{ $client }”可以代表您：
consent-identity = 如果您允许，“{ $client }”将得知您的身份。
consent-optional = 以下权限您可以不授予：
consent-none-left = 请至少保留一项权限，或者选择“不允许”。
consent-other-session = 打开此页面之后，此浏览器又登录过一次，可能使用的是其他账号。尚未授予任何权限：请重新选择。
consent-resources = 适用于以下服务：
consent-lasts-days = 授权最长持续 { $count } 天。
consent-lasts-hours = 授权最长持续 { $count } 小时。
consent-lasts-minutes = 授权最长持续 { $count } 分钟。
consent-lasts-seconds = 授权最长持续 { $count } 秒。
consent-back = 之后您将返回 { $host }。
consent-allow = 允许
consent-deny = 不允许
consent-switch = 不是您？使用其他账号
consent-about = 关于“{ $client }”
consent-privacy = 隐私政策
consent-terms = 服务条款

## 返回应用

back-title = 正在返回
back-heading = 正在返回 { $host }
back-text = 如果页面没有变化，请点击按钮。
back-submit = 继续

## 等待时间过长的请求

late-title = 等待时间过长
late-text = 此页面打开超过半小时，因此未再执行任何操作。请返回“{ $client }”重新开始。
late-back = 返回“{ $client }”

## 退出登录

logout-title = 退出登录
logout-heading = 要退出登录吗？
logout-text = 下次应用将您带到这里时，您需要重新登录。
logout-submit = 退出登录
signed-out-title = 已退出登录
signed-out-text = 您已在此处退出登录。您使用过的应用可能仍保持登录状态，请在应用中另行退出。

## 错误

error-title = 操作未成功
error-id = 如果再次出现此问题，请将以下编号告知服务器管理员：{ $id }
error-stale = 此页面已过期，或者是在另一个浏览器中打开的。请返回应用重新开始。
error-unknown-client = 此应用未在这里注册。
error-redirect-uri-missing = 应用没有说明要返回的地址。
error-redirect-uri-mismatch = 应用要返回的地址未经注册。
error-parameter-not-utf8 = 有参数不是有效的 UTF-8。
error-parameter-repeated = 有参数被重复发送。
error-parameter-too-long = 有参数过长。
error-parameters-too-many = 参数过多。
error-parameter-missing = 缺少必需的参数。
error-not-a-form = 请求内容不是 application/x-www-form-urlencoded。
error-body-too-long = 请求内容超过 64 KiB。
error-body-broken-off = 请求内容不完整。
error-unavailable = 服务器目前无法完成此操作。请稍后再试。
error-server = 服务器出现问题。
error-other = 无法处理该请求。请返回应用重新开始。
