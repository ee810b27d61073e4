--[[
event_bus.lua - values by topic: "orders.created", "orders.*", "orders.>".

Every topic that has subscribers, and every pattern, has a broadcast of its
own. They hang in a tree, a level for each word, at the key ".":

    orders -- created -- (broadcast)
           \- * -------- (broadcast)
           \- > -------- (broadcast)

A publish goes to all broadcasts that match in one send, core.publish: whoever
has room has the value at once, whichever pattern it came by, and the publisher
waits once for the rest. If it went from one to the next, a slow subscriber of
the topic would hold up those of its patterns.
]]
local rille, core = ...

local methods = {}
local meta = {__name = "rille.event_bus", __metatable = "rille.event_bus", __index = methods}

-- bus -> {root=, opts=, tree=, broadcasts=, count=, limit=, routes=, routed=,
-- named=, id=}: `root` is a broadcast without subscribers that is in every
-- publish; closed with the bus.
local states = setmetatable({}, {__mode = "k"})

local made = 0      -- buses so far
local ROUTES = 1024 -- at most so many are kept

local function state_of(bus, name)
  return states[bus]
    or core.misuse(("calling '%s' on bad self (rille event_bus expected, got %s)")
      :format(name, core.shown(bus)))
end

function meta.__newindex()
  core.misuse("a rille event_bus has no fields to set")
end

-- What is wrong with a word of a topic or pattern, or nil.
local function wrong_word(word, is_last, is_pattern)
  if word == "" then return "it has an empty level" end
  if word == ">" and not is_last then return "'>' stands for the rest, so it must come last" end
  if word == "*" or word == ">" then
    return not is_pattern and "a pattern; only a topic can be published to" or nil
  end
  return word:find "[%s*>]" and "no '*', '>' or space can be part of a level" or nil
end

-- The words of a topic, or of a pattern; raises if it is none.
local function split(topic, is_pattern, name)
  core.check(topic, "string", name, 1)
  local words = {}
  for word in (topic .. "."):gmatch "([^.]*)%." do words[#words + 1] = word end
  for i, word in ipairs(words) do
    local wrong = wrong_word(word, i == #words, is_pattern)
    if wrong then core.arg_error(name, 1, ("topic '%s': %s"):format(topic, wrong)) end
  end
  return words
end

-- Adds the broadcasts that match the words from `at` on to the list.
local function collect(node, words, at, list)
  local word = words[at]
  if word == nil then
    list[#list + 1] = node["."]
    return
  end
  if node[word] then collect(node[word], words, at + 1, list) end
  if node["*"] then collect(node["*"], words, at + 1, list) end
  if node[">"] then list[#list + 1] = node[">"]["."] end
end

local function forget_routes(state)
  state.routes, state.routed = {}, 0
end

-- The broadcasts that a topic's values go to, found once and kept until a
-- topic comes or goes.
local function route(state, topic, name)
  local list = state.routes[topic]
  if list then return list end
  local words = split(topic, false, name)
  list = {state.root}
  collect(state.tree, words, 1, list)
  if state.routed >= ROUTES then forget_routes(state) end
  state.routed = state.routed + 1
  state.routes[topic] = list
  return list
end

-- Cuts off the branch that `words` lead to.
local function prune(node, words, at)
  local word = words[at]
  if word == nil then
    node["."] = nil
    return
  end
  prune(node[word], words, at + 1)
  if next(node[word]) == nil then node[word] = nil end
end

local function forget(state, topic)
  state.broadcasts[topic] = nil
  state.count = state.count - 1
  prune(state.tree, split(topic, true), 1)
  forget_routes(state)
end

-- Forgets the topics whose subscriptions have been closed by themselves.
local function sweep(state)
  for topic, broadcast in pairs(state.broadcasts) do
    if #broadcast == 0 then forget(state, topic) end
  end
  state.limit = math.max(64, 2 * state.count)
end

-- Enters a new topic.
local function enter(state, topic, words, broadcast)
  local node = state.tree
  for _, word in ipairs(words) do
    node[word] = node[word] or {}
    node = node[word]
  end
  node["."] = broadcast
  state.broadcasts[topic] = broadcast
  state.count = state.count + 1
  forget_routes(state)
  if state.count > state.limit then sweep(state) end
end

-- The options that a broadcast knows, and `with_topic`.
local function read_options(opts)
  if type(opts) ~= "table" then return opts end
  local rest = {}
  for key, value in next, opts do rest[key] = value end
  local with_topic = rest.with_topic
  rest.with_topic = nil
  if with_topic ~= nil and type(with_topic) ~= "boolean" then
    core.arg_error("subscribe", 2,
      "option 'with_topic': boolean expected, got " .. type(with_topic))
  end
  return rest, with_topic
end

--- Event buses.
-- @type event_bus

--- Subscribes to a topic, or to all topics that match a pattern: in "a.*" the
-- star is any one level, in "a.>" the rest, one level or more. Never suspends.
-- @function event_bus:subscribe
-- @tparam string topic levels parted by dots
-- @tparam[opt] table opts `buffer`, `overflow`, `on_drop` as for `broadcast`;
-- `with_topic` (boolean): receive `{topic = , value = }` instead of the value
-- @return the subscription
-- @raise closed
-- @usage local orders <close> = bus:subscribe("orders.>", {with_topic = true})
function methods.subscribe(bus, topic, opts)
  local state = state_of(bus, "subscribe")
  local words = split(topic, true, "subscribe")
  local rest, with_topic = read_options(opts)
  if state.root:is_closed() then
    error(core.error("closed", "cannot subscribe: the event bus is closed"), 0)
  end
  local broadcast = state.broadcasts[topic] or rille.broadcast(state.opts)
  state.named = state.named + 1
  local subscription = broadcast:subscribe(("%s#%d"):format(topic, state.named), rest)
  if with_topic then core.label(subscription) end
  if not state.broadcasts[topic] then enter(state, topic, words, broadcast) end
  return subscription
end

-- The broadcasts that a publish goes to; raises if an argument is wrong.
local function targets(bus, topic, value, name)
  local list = route(state_of(bus, name), topic, name)
  if value == nil then core.arg_error(name, 2, "nil cannot be sent; send false or a table") end
  return list
end

--- Sends a value to every subscription that matches the topic. Suspends as
-- `broadcast:send` does: once, for all that must be waited for.
-- @function event_bus:publish
-- @tparam string topic no pattern
-- @param value anything but nil
-- @treturn integer how many subscriptions it has reached; or nil and an error
-- of kind `full`, as `broadcast:send`
-- @raise closed, also while it waits; cancelled: who had room has got it
-- @usage bus:publish("orders.created", {id = 7})
function methods.publish(bus, topic, value)
  return core.publish(targets(bus, topic, value, "publish"), value, topic)
end

--- Publishes if that need not wait: to everybody, or to nobody. Never suspends.
-- @function event_bus:try_publish
-- @tparam string topic no pattern
-- @param value anything but nil
-- @return as `broadcast:try_send`
function methods.try_publish(bus, topic, value)
  return core.try_publish(targets(bus, topic, value, "try_publish"), value, topic)
end

--- Takes a subscription out, as its `close` does. Never suspends.
-- @function event_bus:unsubscribe
-- @tparam string topic as it was subscribed to
-- @param subscription
-- @treturn boolean false if it is not subscribed to that
function methods.unsubscribe(bus, topic, subscription)
  local state = state_of(bus, "unsubscribe")
  split(topic, true, "unsubscribe")
  if getmetatable(subscription) ~= "rille.subscription" then
    core.arg_error("unsubscribe", 2, "rille subscription expected, got " .. type(subscription))
  end
  local broadcast = state.broadcasts[topic]
  local left = broadcast ~= nil and broadcast:unsubscribe(subscription)
  if left and #broadcast == 0 then forget(state, topic) end
  return left
end

--- The topics and patterns that have subscribers. Never suspends.
-- @function event_bus:topics
-- @treturn table a sorted list
function methods.topics(bus)
  local list = {}
  for topic, broadcast in pairs(state_of(bus, "topics").broadcasts) do
    if #broadcast > 0 then list[#list + 1] = topic end
  end
  table.sort(list)
  return list
end

--- Closes the bus. Subscribers can still receive what is in their buffers;
-- every waiter wakes. Never suspends; idempotent.
-- @function event_bus:close
-- @param[opt] err what the subscribers get after the last value
function methods.close(bus, err)
  local state = state_of(bus, "close")
  local topics = methods.topics(bus)
  state.root:close()
  for _, topic in ipairs(topics) do state.broadcasts[topic]:close(err) end
  state.broadcasts, state.tree, state.count = {}, {}, 0
  forget_routes(state)
end

-- Without an error, whatever made the block end.
function meta.__close(bus) methods.close(bus) end

--- @function event_bus:is_closed
-- @treturn boolean
function methods.is_closed(bus)
  return state_of(bus, "is_closed").root:is_closed()
end

--- @function event_bus:stats
-- @treturn table `topics`, `subscribers`, `published` (values), `closed`
function methods.stats(bus)
  local state = state_of(bus, "stats")
  local stats = {topics = 0, subscribers = 0, published = state.root:stats().sent,
    closed = state.root:is_closed()}
  for _, broadcast in pairs(state.broadcasts) do
    stats.topics = stats.topics + (#broadcast > 0 and 1 or 0)
    stats.subscribers = stats.subscribers + #broadcast
  end
  return stats
end

function meta.__tostring(bus)
  local state = state_of(bus, "tostring")
  return ("rille.event_bus: event_bus#%d (%d topics%s)"):format(state.id, #methods.topics(bus),
    state.root:is_closed() and ", closed" or "")
end

--- Makes an event bus: what is published under a topic reaches all who have
-- subscribed to it or to a pattern that it matches. Never suspends.
-- @function event_bus
-- @tparam[opt] table opts for the subscriptions: `buffer`, `overflow`,
-- `on_drop` as for `broadcast`
-- @return the bus
-- @usage local bus = rille.event_bus{overflow = "drop_oldest"}
function rille.event_bus(opts)
  local root, own = core.event_bus(opts), {}
  for key, value in next, opts or {} do own[key] = value end
  made = made + 1
  local bus = setmetatable({}, meta)
  states[bus] = {root = root, opts = own, tree = {}, broadcasts = {}, count = 0, limit = 64,
    routes = {}, routed = 0, named = 0, id = made}
  return bus
end

--- Makes an event bus that is closed when the scope ends.
-- @function scope:event_bus
-- @tparam[opt] table opts as for `rille.event_bus`
-- @return the bus
core.scope_meta.__index.event_bus = function(s, opts)
  core.state(s)
  return core.own(s, rille.event_bus(opts))
end
