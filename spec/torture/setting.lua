-- The sizes and seeds of the torture suite: SIZE=full (or FULL=1) asks for the
-- size that scripts/torture runs, else it is the one that ctest runs; SEED=n
-- replays what a failure has named.
local setting = {}

setting.full = os.getenv "SIZE" == "full" or os.getenv "FULL" ~= nil

--- The size of a test.
function setting.size(smoke, full)
  return setting.full and full or smoke
end

--- The seed of a test: SEED, or its own.
function setting.seed(default)
  return math.tointeger(tonumber(os.getenv "SEED")) or default
end

--- Prints a line of figures, in the full size only.
function setting.note(...)
  if setting.full then
    print(string.format(...))
  end
end

--- A running hash of texts (FNV-1a on 64 bits): the hash of a log without the
-- log.
function setting.hash()
  local state = 0xcbf29ce484222325
  return function(text)
    for i = 1, #text do
      state = (state ~ text:byte(i)) * 0x100000001b3
    end
    return state
  end
end

return setting
