(* x1 xor x2 learnt by a network of 2-16-1; then a hook, a function and an operation with derivatives of their own, an error, shared memory,
   and costs. *)
open Gradus

let wave n step = Array.init n (fun i -> sin (step *. float (succ i)))

let train () =
  let x = tensor [| 0.; 0.; 0.; 1.; 1.; 0.; 1.; 1. |] ~shape:[| 4; 2 |] and y = tensor [| 0.; 1.; 1.; 0. |] ~shape:[| 4; 1 |] in
  let w1 = requires_grad (tensor (wave 32 1.7) ~shape:[| 16; 2 |]) and b1 = requires_grad (tensor (wave 16 0.9)) in
  let w2 = requires_grad (tensor (wave 16 2.1) ~shape:[| 1; 16 |]) and b2 = requires_grad (tensor [| 0. |]) in
  let update w =
    ignore (op "sub_" [ T w; T (Option.get (grad w)) ] ~named:[ ("alpha", F 0.05) ]);
    clear_grad w in
  let rec run step =
    if step > 2000 then failwith "no convergence";
    let hidden = op "tanh" [ T (op "linear" [ T x; T w1; T b1 ]) ] in
    let loss = op "mse_loss" [ T (op "linear" [ T hidden; T w2; T b2 ]); T y ] in
    backward loss;
    no_grad (fun () -> List.iter update [ w1; b1; w2; b2 ]);
    let value = (numbers loss).(0) in
    if value < 0.001 then (step, value) else run (succ step) in
  run 1

exception Of_ocaml of int

let hooks () =
  let x = requires_grad (tensor [| 1.; 2. |]) in
  let id = hook x (fun g -> Some (op "mul" [ T g; I 10 ])) in
  backward (op "sum" [ T Infix.(x * x) ]);
  assert (numbers (Option.get (grad x)) = [| 20.; 40. |]);
  remove_hook x id;
  ignore (hook x (fun _ -> raise (Of_ocaml 7)));
  match backward (op "sum" [ T x ]) with () -> assert false | exception Of_ocaml n -> assert (n = 7)

let own_derivative () =
  let cube = { name = "Cube";
    forward = (fun call inputs -> save call inputs; [ op "pow" [ T (List.hd inputs); I 3 ] ]);
    vjp = (fun call gradients -> let x = saved call 0 in [ Infix.(List.hd gradients * x * x * tensor [| 3. |]) ]) } in
  let x = requires_grad (tensor [| 2.; 3. |]) in
  let y = List.hd (apply cube [ x ]) in
  let text = to_string y in
  assert (String.length text > 20 && String.sub text (String.length text - 14) 12 = "CubeBackward");
  backward (op "sum" [ T y ]);
  assert (numbers (Option.get (grad x)) = [| 12.; 27. |])

let own_operation () =
  let forward = function
    | [ _; _; F scale ] when scale < 0. -> raise (Of_ocaml 8)
    | [ T x; T y; F scale ] -> [ op "mul" [ T (op "hypot" [ T x; T y ]); F scale ] ]
    | _ -> assert false in
  let backward = function
    | [ T x; T y; F scale; T r; T g ] ->
      let slope = op "mul" [ T (op "div" [ T g; T r ]); F (scale *. scale) ] in
      [ Some Infix.(slope * x); Some Infix.(slope * y) ]
    | _ -> assert false in
  register_op "demo.distance" "(Tensor x, Tensor y, float scale=1.0) -> Tensor" ~forward ~backward;
  let x = requires_grad (tensor [| 3.; 5. |]) and y = requires_grad (tensor [| 4.; 12. |]) in
  assert (numbers (op "demo.distance" [ T x; T y ]) = [| 5.; 13. |]);
  (match op "demo.distance" [ T x; T y; F (-1.) ] with _ -> assert false | exception Of_ocaml n -> assert (n = 8));
  (match register_op "demo.distance" "(Tensor x) -> Tensor" ~forward ~backward with
   | () -> assert false
   | exception Error { status; _ } -> assert (status land 0xff00 = 0x100));
  let passed, report = gradcheck (fun inputs -> [ op "demo.distance" (List.map (fun t -> T t) inputs) ~named:[ ("scale", F 2.) ] ]) [ x; y ] in
  if not passed then failwith report;
  let sum = batch [ ("demo.distance", [ T x; T y; F 2. ]); ("sum", [ Result_of 0 ]) ] in
  Gradus.backward sum;
  assert (numbers sum = [| 36. |] && Float.abs ((numbers (Option.get (grad x))).(0) -. 1.2) < 1e-12)

let error () =
  match Infix.(tensor [| 1.; 2.; 3. |] + tensor [| 1.; 2. |]) with
  | _ -> assert false
  | exception Error { name; message; status; _ } -> assert (name = "GRADUS_E_SHAPE" && status = 0x103); message

let memory () =
  let a = Bigarray.Array1.of_array Bigarray.float64 Bigarray.c_layout [| 1.; 2.; 3. |] in
  let x = wrap (Bigarray.genarray_of_array1 a) in
  a.{1} <- 5.;
  assert (numbers (op "sum" [ T x ]) = [| 9. |]);
  let view = data (op "mul_" [ T x; I 2 ]) in
  assert (Bigarray.Genarray.get view [| 1 |] = 10. && a.{2} = 6.);
  ignore (op "fill_" [ T (from_dlpack (to_dlpack x)); I 7 ]);
  assert (a.{0} = 7. && Bigarray.Genarray.get view [| 2 |] = 7.);
  assert (List.length (op_all "split" [ T (op "ones" [ Is [ 2; 3 ] ] ~named:[ ("dtype", S "int32") ]); I 1 ]) = 2)

let least n f =                                (* of 15 rounds, in nanoseconds of the processor's time *)
  let time _ =
    let start = Sys.time () in
    f ();
    (Sys.time () -. start) /. float n *. 1e9 in
  List.fold_left min infinity (List.init 15 time)

let costs () =
  let x = tensor [| 1.; 2.; 3.; 4. |] and y = tensor [| 1.; 1.; 1.; 1. |] in
  let calls = List.init 100 (fun i -> ("add", [ (if i = 0 then T x else Result_of (pred i)); T y ])) in
  assert ((numbers (batch calls)).(0) = 101.);
  ( least 2000 (fun () -> for _ = 1 to 2000 do ignore (op "add" [ T x; T y ]) done),
    least 2000 (fun () -> for _ = 1 to 20 do ignore (batch calls) done) )

let () =
  let steps, loss = train () in
  hooks ();
  own_derivative ();
  own_operation ();
  memory ();
  let message = error () in
  let one, batch = costs () in
  close ();
  Printf.printf "ocaml: %d functions, xor in %d steps, loss %.4f; add %.0f ns, in a batch %.0f ns; %S\n"
    (Hashtbl.length operations) steps loss one batch message;
  assert (List.for_all (( = ) 0) (live ()))
