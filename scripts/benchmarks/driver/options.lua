-- options.lua - the command line of scripts/bench, after what the shell script
-- itself has taken.

local options = {}

local function fail(format, ...)
  io.stderr:write("bench: ", format:format(...), "\nscripts/bench --help tells more\n")
  os.exit(2)
end

-- option -> the field it sets, and how its value is read; true: it has none
local known = {
  ["--quick"] = {"quick", true}, ["--smoke"] = {"smoke", true}, ["--list"] = {"list", true},
  ["--check"] = {"check", true},
  ["--rounds"] = {"rounds", math.tointeger}, ["--rows"] = {"rows", tostring},
  ["--peers"] = {"peers", tostring}, ["--json"] = {"json", tostring},
  ["--svg"] = {"svg", tostring}, ["--rille"] = {"rille", tostring},
  ["--before"] = {"before", tostring},
  ["--spent"] = {"spent", math.tointeger},
  ["--floor"] = {"floor", tostring}, ["--go"] = {"go", tostring}, ["--here"] = {"here", tostring},
}

local function read(args)
  local o, i = {}, 1
  while i <= #args do
    local option = known[args[i]] or fail("unknown option '%s'", args[i])
    if option[2] == true then
      o[option[1]] = true
    else
      local value = args[i + 1] or fail("%s needs a value", args[i])
      o[option[1]] = option[2](option[2] == math.tointeger and tonumber(value) or value)
        or fail("%s needs a whole number, not '%s'", args[i], value)
      i = i + 1
    end
    i = i + 1
  end
  return o
end

local function check_peers(text, names)
  local chosen = {rille = true, before = true}
  for name in text:gmatch "[^,%s]+" do
    local found = false
    for _, peer in ipairs(names) do found = found or peer == name end
    if not found then
      fail("unknown peer '%s'; there are %s", name, table.concat(names, ", "))
    end
    chosen[name] = true
  end
  return chosen
end

-- Full: as long as it takes. Quick: within a minute. Smoke: rille alone, so
-- little of everything that it only shows that the programs work.
local modes = {
  full = {rounds = 5, growth_rounds = 3, divide = 1, most_tasks = 1e6, tries = 3, limit = 300,
    budget = math.huge},
  quick = {rounds = 2, growth_rounds = 1, divide = 20, most_tasks = 1e3, tries = 1, limit = 20,
    budget = 52},
  smoke = {rounds = 1, growth_rounds = 1, divide = 10000, most_tasks = 10, tries = 1, limit = 50,
    budget = 50},
}

-- The options with what follows from them filled in. Ends the program when
-- they are wrong.
function options.read(args, peer_names)
  local o = read(args)
  if o.rounds and o.rounds < 1 then fail("--rounds needs at least 1") end
  if o.smoke then o.peers = "rille" end
  o.peers = o.peers and check_peers(o.peers, peer_names)
  local mode = modes[o.smoke and "smoke" or o.quick and "quick" or "full"]
  for key, value in pairs(mode) do
    if o[key] == nil then o[key] = value end
  end
  -- What building has taken (`spent`, seconds) is part of the minute.
  o.budget = math.max(o.budget - (o.spent or 0), math.min(o.budget, 20))
  return o
end

return options
