-- Services: what a program sets up once and its tasks find by name.
--
-- A scope provides; everything inside it uses. When the scope ends, after the
-- last task that could still use them, they are disposed of, last first.
local rille = require "rille"

-- A pretended database: connecting and quitting take time, as they do.
local function connect(url)
  rille.sleep(0.005)
  print("connected to " .. url)
  local rows = {}
  return {
    insert = function(row) rows[#rows + 1] = row end,
    quit = function()
      rille.sleep(0.005)
      print("disconnected, rows: " .. table.concat(rows, " "))
    end,
  }
end

-- Each request is a scope of its own, with a log of its own.
local function handle(request)
  rille.scope({ name = "request " .. request }, function(scope)
    local outer = scope:use "log"
    scope:provide("log", function()
      return function(text) outer(request .. ": " .. text) end
    end)
    scope:use "db".insert("row of " .. request)
    scope:use "log"("done")
  end)
end

rille.scope({ name = "app" }, function(app)
  print("-- a factory runs once, may wait, and may use what is there already")
  app:provide("config", function() return { url = "db://moon" } end)
    :provide("log", function() return print end)
    :provide("db", function(scope) return connect(scope:use "config".url) end,
      function(db) db.quit() end)

  print("-- scopes inside find the services, and may shadow them")
  rille.scope(function(scope)
    for i = 1, 2 do scope:go(handle, "r" .. i) end
  end)

  print("-- a wrong name is answered with where it was looked for")
  rille.scope({ name = "worker" }, function(scope)
    local _, err = pcall(scope.use, scope, "confg")
    print(err:match "%((.+)%)$")
  end)

  print("-- so is a service that needs itself")
  local _, err = pcall(app.provide, app, "cache", function()
    app:provide("index", function() return app:use "cache" end)
    return {}
  end)
  print(err:match "%((.+)%)$")
  print(app:has "cache")

  print("-- a scope may be left alone with its own")
  rille.scope({ inherit = "cancel" }, function(scope) print(scope:has "db") end)

  app:go(function()
    rille.sleep(0.01)
    app:use "db".insert("the last row")
    print("the last task ends")
  end)
  app:defer(print, "deferred last, runs first")
  print("-- at the end tasks come first, then services and deferred functions")
end)

-- options: --virtual
-- expect: -- a factory runs once, may wait, and may use what is there already
-- expect: connected to db://moon
-- expect: -- scopes inside find the services, and may shadow them
-- expect: r1: done
-- expect: r2: done
-- expect: -- a wrong name is answered with where it was looked for
-- expect: there is no service 'confg' (looked in worker, app, root); did you mean 'config'?
-- expect: -- so is a service that needs itself
-- expect: service 'cache' needs itself while it is made: cache -> index -> cache
-- expect: false
-- expect: -- a scope may be left alone with its own
-- expect: false
-- expect: -- at the end tasks come first, then services and deferred functions
-- expect: the last task ends
-- expect: deferred last, runs first
-- expect: disconnected, rows: row of r1 row of r2 the last row
