-- The example health_check.lua as its user sees it: on a list of links to a
-- real nginx, started here.
local rille = require "rille"
local sys = require "spec.sys_helper"
local net_helper = require "spec.net_helper"

local binary = os.getenv "RILLE_BINARY" or "build/rille"
local has_nginx = os.execute "command -v nginx >/dev/null 2>&1"

local config = [[
daemon off; pid nginx.pid; master_process off;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
  uwsgi_temp_path t4; scgi_temp_path t5;
  server {
    listen 127.0.0.1:PORT; root files;
    location /old { return 301 /page; }
    location /down { return 503; }
  }
}]]

-- Runs fn(port) while nginx serves the files of `dir`.
local function with_nginx(dir, fn)
  assert(rille.fs.mkdir(dir .. "/files"))
  assert(rille.fs.write_file(dir .. "/files/page", "hello"))
  local server <close>, port = net_helper.nginx(dir, config)
  fn(port)
  return server:pid()
end

-- What the example says of the links "{paths}" on nginx, and its status.
local function check(dir, port, paths)
  local list = dir .. "/links.txt"
  local url = ("http://127.0.0.1:%d"):format(port)
  local links = url .. table.concat(paths, "\n" .. url)
  assert(rille.fs.write_file(list, "# links\n\n" .. links .. "\n"))
  local result = assert(rille.process.run{binary, "scripts/examples/health_check.lua", list})
  return result.stdout:gsub(url, ""), result.status, result.stderr
end

describe("health_check.lua", function()
  local function against(name, fn)
    it(name, function()
      if not has_nginx then pending "nginx is not installed" return end
      sys.run(function(dir)
        with_nginx(dir, function(port) fn(dir, port) end)
      end)
    end)
  end

  against("ends with 0 when all links work", function(dir, port)
    local output, status, complaints = check(dir, port, {"/page", "/old"})
    assert.equal("200                /page\n200                /old\n2 of 2 links work\n", output)
    assert.same({0, ""}, {status, complaints})
  end)

  against("ends with 1 and says what does not", function(dir, port)
    local output, status = check(dir, port, {"/page", "/none", "/down", "/page"})
    assert.equal("200                /page\n404                /none\n503                /down\n"
      .. "circuit_open       /page\n1 of 4 links work\n", output)
    assert.equal(1, status)
  end)
end)
