std = "lua54"
max_line_length = 100

-- describe, it, assert.are.equal and the like
files["spec"] = { std = "+busted" }

exclude_files = { "build*" }
