--[[
crew.lua - tasks of one scope that work off a feed together.

    local crew = run_crew{
      scope = s, name = "map", limit = 8, take = take,
      work = function(crew, index, item) ... end,
    }

At most `limit` tasks take items and work on them until the feed ends, or one
stops the crew: by raising, or by crew:stop(...). What it stops with is the
crew's `outcome`; the first one counts, and the other tasks are cancelled.

They are tasks of `scope` itself and so run under its concurrency. run_crew
waits for all of them: none is left when it returns or raises.

Tasks are started as they are needed: when the last one has begun to work, as
many again are started.
]]
local rille, core = ...

local FIRST = 64 -- tasks to begin with, if there is work for so many

local Crew = {}
Crew.__index = Crew

--- Ends the work of all: `...` is the outcome, unless there is one already.
function Crew:stop(reason, ...)
  if self.outcome then return end
  self.outcome = table.pack(...)
  local current = rille.current()
  for _, task in ipairs(self.tasks) do
    if task ~= current then task:cancel(reason) end
  end
end

local work

local function grow(crew)
  local count = #crew.tasks
  local more = math.min(math.max(count, FIRST), crew.limit - count)
  for i = count + 1, count + more do
    crew.unstarted = crew.unstarted + 1
    crew.tasks[i] = crew.scope:go({name = crew.name}, work, crew)
  end
end

local function work_off(crew)
  for index, item in crew.take do
    if crew.outcome then return end
    if crew.unstarted == 0 then grow(crew) end
    crew:work(index, item)
    if crew.outcome then return end
  end
end

-- The body of each task. Nobody asks for the outcome any more when who waits
-- or the scope is cancelled: then a failure is the scope's. A cancellation of
-- this task alone came from what it worked on, which so has failed.
function work(crew)
  crew.unstarted = crew.unstarted - 1
  local ok, err = pcall(work_off, crew)
  if not core.failed(ok, err) then return end
  local abandoned = crew.abandoned or crew.scope:cancelled()
  if not abandoned then crew:stop(err, nil, err) end
  if abandoned or rille.is_cancellation(err) then error(err, 0) end
end

-- A task that was cancelled with its scope leaves the work undone.
local function join(crew)
  local _ <close> = crew
  core.checkpoint()
  grow(crew)
  local i = 1
  while crew.tasks[i] do
    local _, err = crew.tasks[i]:await()
    if err ~= nil and not crew.outcome then crew.outcome = table.pack(nil, err) end
    i = i + 1
  end
end

-- Whatever happens to who waits: the tasks are cancelled, and joined.
function Crew:__close()
  self.abandoned = not self.outcome
  for _, task in ipairs(self.tasks) do task:cancel() end
  for _, task in ipairs(self.tasks) do
    local _ <close> = task
  end
end

return function(crew)
  crew.tasks, crew.unstarted = {}, 0
  join(setmetatable(crew, Crew))
  return crew
end
