--[[
retry_after.lua - the header Retry-After, RFC 9110, 10.2.3.

    Retry-After: 120
    Retry-After: Fri, 31 Dec 1999 23:59:59 GMT

A date is compared with the response's own Date, if it has one: so it does not
matter whether the clocks agree.
]]
local _, core = ...

local months = {}

for i, name in ipairs{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov",
  "dec"} do months[name] = i end

-- Days from 1970-01-01 to a date of the Gregorian calendar. See
-- https://howardhinnant.github.io/date_algorithms.html, days_from_civil.
local function days(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = year // 400
  local of_era = year - era * 400
  local of_year = (153 * (month + (month > 2 and -3 or 9)) + 2) // 5 + day - 1
  return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
end

-- The three forms of RFC 9110, 5.6.7; two digits of a year are of this century
-- or, from 70 on, of the last.
local function fields(text)
  local day, month, year, time = text:match "^%a+, (%d%d) (%a+) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$"
  if day then return year, month, day, time end
  day, month, year, time = text:match "^%a+, (%d%d)%-(%a+)%-(%d%d) (%d%d:%d%d:%d%d) GMT$"
  if day then return (tonumber(year) < 70 and "20" or "19") .. year, month, day, time end
  month, day, time, year = text:match "^%a+ (%a+) +(%d+) (%d%d:%d%d:%d%d) (%d%d%d%d)$"
  return year, month, day, time
end

--- The date of a header, in seconds since 1970; or nil.
function core.http_date(text)
  local year, month, day, time = fields(text)
  month = month and months[month:lower()]
  if not month then return nil end
  local hours, minutes, seconds = time:match "(%d+):(%d+):(%d+)"
  return ((days(math.tointeger(year), month, math.tointeger(day)) * 24 + math.tointeger(hours)) * 60
    + math.tointeger(minutes)) * 60 + math.tointeger(seconds)
end

--- How long the response with these headers asks to wait, in seconds from now;
-- nil if it does not, or nobody understands it.
function core.retry_after(headers)
  local text = headers:get "retry-after"
  if not text then return nil end
  if text:find "^%d+$" then return tonumber(text) end
  local date = core.http_date(text)
  if not date then return nil end
  local now = core.http_date(headers:get "date" or "") or os.time()
  return math.max(0, date - now)
end
