-- machine.lua - when and where the figures were taken.

local shell = require "shell"

local machine = {}

local function load_average()
  return (shell.read_file "/proc/loadavg":match "^%S+")
end

-- The state of the sources among which the binary lies.
local function commit_of(rille)
  local folder = rille:match "^(.*)/" or "."
  return shell.read("git -C " .. shell.quote(folder) .. " describe --always --dirty --abbrev=7")
    or "an unknown commit"
end

-- A table of strings; machine.finish adds what is known at the end.
function machine.describe(peers, rille)
  local cpu = shell.read_file "/proc/cpuinfo"
  local memory = shell.read_file "/proc/meminfo":match "MemTotal:%s*(%d+)"
  local versions = {}
  for _, peer in ipairs(peers) do
    if peer.version then versions[peer.name] = peer.version end
  end
  versions.go2 = nil
  return {
    date = os.date("!%Y-%m-%d %H:%M UTC"),
    cpu = cpu:match "model name%s*:%s*([^\n]*)" or "unknown",
    cpus = select(2, cpu:gsub("processor%s*:", "")),
    memory = ("%.0f GiB"):format(tonumber(memory) / 2 ^ 20),
    kernel = shell.read "uname -sr" or "unknown",
    commit = commit_of(rille),
    load_before = load_average(), versions = versions,
  }
end

function machine.finish(described)
  described.load_after = load_average()
end

-- The lines above the tables.
function machine.text(described, peers)
  local names = {}
  for _, peer in ipairs(peers) do
    local version = described.versions[peer.name]
    if version then names[#names + 1] = peer.title .. ": " .. version end
  end
  return ("%s; rille at %s\n%s, %d CPUs, %s; %s\nload %s at the start, %s at the end\n%s\n"):format(
    described.date, described.commit, described.cpu, described.cpus, described.memory,
    described.kernel, described.load_before, described.load_after, table.concat(names, "; "))
end

return machine
