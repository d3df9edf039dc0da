-- x1 xor x2 learnt by a network of 2-16-1; then a hook, a function and an operation with derivatives of their own, an error, shared memory
-- and costs.
local ffi = require "ffi"
local g = require "gradus"

local function close(a, b) return math.abs(a - b) < 1e-9 end
local function wave(n, step)
  local list = {}
  for i = 1, n do list[i] = math.sin(step * i) end
  return list
end

local function train()
  local x, y = g.tensor({ 0, 0, 0, 1, 1, 0, 1, 1 }, 4, 2), g.tensor({ 0, 1, 1, 0 }, 4, 1)
  local w1, b1 = g.tensor(wave(32, 1.7), 16, 2):requires_grad(), g.tensor(wave(16, 0.9)):requires_grad()
  local w2, b2 = g.tensor(wave(16, 2.1), 1, 16):requires_grad(), g.tensor({ 0 }):requires_grad()
  local loss
  for step = 1, 2000 do
    loss = g.mse_loss(x:linear(w1, b1):tanh():linear(w2, b2), y)
    loss:backward()
    g.no_grad(function()
      for _, p in ipairs { w1, b1, w2, b2 } do
        p:sub_(p:grad(), { alpha = 0.05 })
        p:clear_grad()
      end
    end)
    if step % 100 == 0 then collectgarbage() end
    if loss:item() < 0.001 then return step, loss:item() end
  end
  error("the loss stays at " .. loss:item())
end

local function hooks()
  local x = g.tensor({ 1, 2 }):requires_grad()
  local remove = x:hook(function(grad) return grad * 10 end);
  (x * x):sum():backward()
  assert(close(x:grad():numbers()[2], 40))
  remove()
  local mine = { "an error of Lua" }
  x:hook(function() error(mine) end)
  local ok, e = pcall(function() x:sum():backward() end)
  assert(not ok and e == mine)
end

local function own_derivative()
  local cube = g.func { name = "Cube",
    forward = function(call, x) g.save(call, x); return x * x * x end,
    vjp = function(call, grad) local x = g.saved(call, 1); return grad * x * x * 3 end }
  local x = g.tensor({ 2, 3 }):requires_grad()
  cube(x):sum():backward()
  assert(close(x:grad():numbers()[1], 12) and close(x:grad():numbers()[2], 27))
end

local function own_operation()
  local function forward(x, y, scale)
    if scale < 0 then error("a negative scale", 0) end
    return (x * x + y * y):sqrt() * scale
  end
  local function backward(x, y, scale, r, grad)
    local slope = grad * scale ^ 2 / r
    return slope * x, slope * y
  end
  local distance = g.register_op("demo.distance", "(Tensor x, Tensor y, float scale=1.0) -> Tensor", forward, backward)
  local x, y = g.tensor({ 3, 5 }):requires_grad(), g.tensor({ 4, 12 }):requires_grad()
  assert(close(distance(x, y):numbers()[2], 13) and close(x["demo.distance"](x, y, { scale = 2 }):numbers()[1], 10))
  assert(select(2, pcall(distance, x, y, -1)) == "a negative scale")
  assert(not pcall(g.register_op, "demo.distance", "(Tensor x) -> Tensor", forward, backward))
  assert(g.gradcheck(function(a, b) return distance(a, b, 2) end, x, y))
  local sum = g.batch { { "demo.distance", x, y, 2 }, { "sum", g.result(1) } }
  sum:backward()
  assert(close(sum:item(), 36) and close(x:grad():numbers()[1], 1.2))
end

local function errors()
  local ok, e = pcall(g.add, g.tensor { 1, 2, 3 }, g.tensor { 1, 2 })
  assert(not ok and e.name == "GRADUS_E_SHAPE" and e.category == 0x0100 and e.message:find("[3]", 1, true), tostring(e))
  return e.message
end

local function memory()
  local array = ffi.new("double[6]", 1, 2, 3, 4, 5, 6)
  local x = g.wrap(array, 2, 3)
  array[1] = 5
  x:mul_(2)
  assert(close(x:sum():item(), 48) and array[1] == 10 and x:data() == array)
  local managed = x:to_dlpack()
  local seen = managed.dl_tensor
  assert(managed.version.major == 1 and seen.data == array and seen.ndim == 2 and seen.shape[1] == 3 and seen.dtype.bits == 64)
  g.from_dlpack(managed):zero_()
  assert(array[5] == 0 and tostring(x):find("float64", 1, true))
  x:to_dlpack()                                -- nobody takes it
end

local function least(n, f)                     -- of 21 rounds, in ns of the processor's time
  local best = math.huge
  for _ = 1, 21 do
    local start = os.clock()
    f()
    best = math.min(best, (os.clock() - start) / n * 1e9)
    collectgarbage()
  end
  return best
end

local function costs()
  local x, y = g.tensor { 1, 2, 3, 4 }, g.tensor { 1, 1, 1, 1 }
  local one = least(2000, function() for _ = 1, 2000 do g.add(x, y) end end)
  local calls = { { "add", x, y } }
  for i = 2, 100 do calls[i] = { "add", g.result(i - 1), y } end
  assert(close(g.batch(calls):numbers()[1], 101))
  local batch = least(2000, function() for _ = 1, 20 do g.batch(calls) end end)
  return one, batch
end

assert(g.op_count > 500)
local steps, loss = train()
hooks()
own_derivative()
own_operation()
memory()
local message = errors()
local one, batch = costs()
g.close()
assert(g.live() == 0, g.live())
print(("luajit: %d functions, xor in %d steps, loss %.4f; add %.0f ns, in a batch %.0f ns; %q"):format(g.op_count, steps, loss, one, batch, message))
