-- What wrk sends in one run, and what it prints at the end: a line of JSON for load.rs.
--
-- KIND     fixed: METHOD, BODY and AUTH, always the same (wrk builds it once)
--          refresh: a refresh token out of a pool; the new one of the answer goes back into it
--          codes: a code out of a pool, each once
--          mix: of ten requests seven refresh, two ask for client credentials (BODY, AUTH), one reads DOCUMENT
-- POOL     a file with a token or a code a line
-- FORM     what follows the token or the code
-- PAUSE    the mean pause of a connection between two requests in milliseconds, exponentially distributed

local kind = os.getenv("KIND")
local auth = os.getenv("AUTH")
local form = os.getenv("FORM") or ""
local body = os.getenv("BODY")
local document = os.getenv("DOCUMENT")
local pause = tonumber(os.getenv("PAUSE") or "0")
local content_type = "application/x-www-form-urlencoded"

local pool, first, last = {}, 1, 0
if os.getenv("POOL") then
  for line in io.lines(os.getenv("POOL")) do
    last = last + 1
    pool[last] = line
  end
end

local function take()
  local one = pool[first] or "empty"
  pool[first] = nil
  if first <= last then first = first + 1 end
  return one
end

local function keep(answer)
  local token = answer:match('"refresh_token":"([^"]+)"')
  if token then
    last = last + 1
    pool[last] = token
  end
end

wrk.method = os.getenv("METHOD") or "POST"
if wrk.method == "POST" then wrk.headers["Content-Type"] = content_type end
if auth then wrk.headers["Authorization"] = auth end
wrk.body = body

local function refresh()
  return wrk.format("POST", nil, nil, "grant_type=refresh_token&refresh_token=" .. take() .. form)
end

if kind == "refresh" then
  request = refresh
  function response(_, _, answer) keep(answer) end
elseif kind == "codes" then
  function request()
    return wrk.format("POST", nil, nil, "grant_type=authorization_code&code=" .. take() .. form)
  end
elseif kind == "mix" then
  local count = 0
  function request()
    count = count + 1
    local turn = count % 10
    if turn == 3 or turn == 7 then
      return wrk.format("POST", nil, { ["Content-Type"] = content_type, ["Authorization"] = os.getenv("MACHINE") }, body)
    elseif turn == 9 then
      return wrk.format("GET", document, {}, "")
    end
    return refresh()
  end
  function response(_, _, answer) keep(answer) end
end

if pause > 0 then
  math.randomseed(1)
  function delay() return math.floor(-math.log(1 - math.random()) * pause + 0.5) end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\nRESULT {"rate":%f,"p50_us":%d,"p90_us":%d,"p99_us":%d,"max_us":%d,"refused":%d,"failed":%d,"requests":%d}\n',
    summary.requests / (summary.duration / 1e6), latency:percentile(50), latency:percentile(90),
    latency:percentile(99), latency.max, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, summary.requests))
end
