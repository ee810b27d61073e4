-- http_client_tls_spec.lua - HTTPS, with certificates made here, against
-- `openssl s_server` and nginx; HTTP/2.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_client_helper"
local net_helper = require "spec.net_helper"

local has_nginx = os.execute "command -v nginx >/dev/null 2>&1"

-- Makes `dir`/NAME.pem and .key: a certificate for `host`, signed by itself.
local function certificate(dir, name, host)
  local done = assert(rille.process.run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=" .. host,
    "-addext", "subjectAltName=" .. host, "-keyout", name .. ".key", "-out", name .. ".pem"},
    {cwd = dir, stderr = "capture"}))
  assert(done.status == 0, done.stderr)
  return dir .. "/" .. name .. ".pem"
end

-- Runs fn(url, ca) with an HTTPS server that answers every path with its
-- status page, whose certificate is for `host`. More arguments are openssl's.
local function with_server(client, dir, host, fn, ...)
  local ca, more = certificate(dir, "server", host), {...}
  local _ <close>, port = net_helper.serving(function(port)
    return rille.process.spawn({"openssl", "s_server", "-accept", "127.0.0.1:" .. port, "-cert",
      "server.pem", "-key", "server.key", "-www", "-quiet", table.unpack(more)},
      {cwd = dir, stdout = "null", stderr = "null", stdin = "null"})
  end)
  fn(("https://127.0.0.1:%d/"):format(port), ca, client)
end

describe("https", function()
  it("is verified: an unknown certificate is kind tls", function()
    h.run(function(client, _, dir)
      with_server(client, dir, "IP:127.0.0.1", function(url)
        local err = helper.refused("tls", client:get(url))
        assert.equal(60, err.code)
        assert.matches("self.signed certificate", err.message)
      end)
    end)
  end)

  it("works with the authority that is given", function()
    h.run(function(client, _, dir)
      with_server(client, dir, "IP:127.0.0.1", function(url, ca)
        assert.equal(200, assert(client:get(url, {ca_file = ca})).status)
        local r <close> = assert(client:get(url, {ca_file = ca, stream = true}))
        assert.matches("s_server", r.body:read_all())
      end)
    end)
  end)

  it("works with a directory of authorities", function()
    h.run(function(client, _, dir)
      with_server(client, dir, "IP:127.0.0.1", function(url)
        assert(rille.fs.mkdir(dir .. "/authorities"))
        helper.refused("tls", client:get(url, {ca_path = dir .. "/authorities"}))
        assert(rille.fs.copy(dir .. "/server.pem", dir .. "/authorities/server.pem"))
        assert(rille.process.run({"openssl", "rehash", dir .. "/authorities"}, {check = true}))
        assert.equal(200, assert(client:get(url, {ca_path = dir .. "/authorities"})).status)
      end)
    end)
  end)

  it("shows the client's own certificate to a server that wants one", function()
    h.run(function(client, _, dir)
      local own = certificate(dir, "client", "DNS:client.example")
      with_server(client, dir, "IP:127.0.0.1", function(url, ca)
        local opts = {ca_file = ca, cert_file = own, key_file = dir .. "/client.key"}
        assert.equal(200, assert(client:get(url, opts)).status)
        helper.refused("tls", client:get(url, {ca_file = ca, cert_file = own,
          key_file = dir .. "/server.key"}))
        assert.is_nil((client:get(url, {ca_file = ca})))
      end, "-Verify", "1", "-verify_return_error", "-CAfile", own)
    end)
  end)

  it("of a client's authority is used for its requests", function()
    h.run(function(client, _, dir)
      with_server(client, dir, "IP:127.0.0.1", function(url, ca)
        local own <close> = rille.http.client{ca_file = ca}
        assert.equal(200, assert(own:get(url)).status)
      end)
    end)
  end)

  it("with a certificate for another name is kind tls", function()
    h.run(function(client, _, dir)
      with_server(client, dir, "DNS:other.example", function(url, ca)
        helper.refused("tls", client:get(url, {ca_file = ca}))
      end)
    end)
  end)

  it("is not verified with verify = false", function()
    h.run(function(client, _, dir)
      with_server(client, dir, "DNS:other.example", function(url)
        assert.equal(200, assert(client:get(url, {verify = false})).status)
        helper.refused("tls", client:get(url))
      end)
    end)
  end)

  it("with an authority that is no file is kind tls", function()
    h.run(function(client, _, dir)
      with_server(client, dir, "IP:127.0.0.1", function(url)
        helper.refused("tls", client:get(url, {ca_file = dir .. "/none.pem"}))
      end)
    end)
  end)

  it("to a server without it is kind tls", function()
    h.run(function(client)
      local url = h.listen(function(conn)
        conn:read()
        conn:write "HTTP/1.0 400 What?\r\n\r\n"
      end)
      helper.refused("tls", client:get((url:gsub("^http", "https"))))
    end)
  end)

  it("that is never answered ends with its timeout", function()
    h.run(function(client)
      local url = h.silence():gsub("^http", "https")
      helper.refused("timeout", client:get(url, {timeout = 0.03}))
    end)
  end)
end)

local config = [[
daemon off; pid nginx.pid; error_log error.log; master_process off;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
  uwsgi_temp_path t4; scgi_temp_path t5; gzip on; gzip_types *; gzip_min_length 1;
  server {
    listen 127.0.0.1:PORT ssl http2; ssl_certificate server.pem; ssl_certificate_key server.key;
    root files;
    location /old { return 301 /page; }
    location /slow { return 429; add_header Retry-After 7 always; }
  }
}]]

-- Runs fn(url, ca, dir) with nginx, which has HTTP/2 over TLS.
local function with_nginx(dir, fn)
  local ca = certificate(dir, "server", "IP:127.0.0.1")
  assert(rille.fs.mkdir(dir .. "/files"))
  assert(rille.fs.write_file(dir .. "/files/page", ("hello "):rep(10000)))
  local server <close>, port = net_helper.nginx(dir, config)
  fn(("https://127.0.0.1:%d/"):format(port), ca, server)
end

describe("nginx", function()
  local function against(name, fn)
    it(name, function()
      if not has_nginx then pending "nginx is not installed" return end
      h.run(function(client, s, dir)
        with_nginx(dir, function(url, ca) fn(client, url, ca, s) end)
      end)
    end)
  end

  against("is talked to by HTTP/2, compressed and redirected", function(client, url, ca)
    local r = assert(client:get(url .. "old", {ca_file = ca}))
    assert.same({200, "2", url .. "page"}, {r.status, r.version, r.url})
    assert.equal(("hello "):rep(10000), r.body)
    assert.equal(1, client:stats().connects)
  end)

  against("is talked to by HTTP/1.1 if that is asked for", function(client, url, ca)
    assert.equal("1.1", assert(client:get(url, {ca_file = ca, version = "1.1"})).version)
  end)

  against("serves many requests on one connection of HTTP/2", function(client, url, ca, s)
    assert(client:get(url .. "page", {ca_file = ca}))
    local all = assert(s:map({1, 2, 3, 4, 5, 6, 7, 8}, function()
      return assert(client:get(url .. "page", {ca_file = ca})).body
    end))
    for i = 1, 8 do assert.equal(60000, #all[i]) end
    assert.equal(1, client:stats().connects)
  end)

  against("goes on when a stream of HTTP/2 is closed in the middle", function(client, url, ca)
    local opts = {ca_file = ca, stream = true, decompress = false}
    local r = assert(client:get(url .. "page", opts))
    r.body:read(10)
    r.body:close()
    assert.equal(60000, #assert(client:get(url .. "page", {ca_file = ca})).body)
  end)

  against("says when to come again", function(client, url, ca)
    local err = helper.refused("status", client:get(url .. "slow", {ca_file = ca, fail = true}))
    assert.same({429, 7}, {err.status, err.retry_after})
  end)
end)
