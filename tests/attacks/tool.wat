;; A whole tool, of which a case replaces parts: each from `;; NAME:` to
;; `;; end of NAME`. What it returns lies in memory at 1024.
(component
  ;; imports:
  ;; end of imports
  (import "noetl:tool/types@0.1.0" (instance $types
    (type $invocation' (record
      (field "execution-id" string) (field "step" string) (field "tenant" string)
      (field "config" string) (field "prepared" (option (list u8))) (field "args" string)))
    (export "invocation" (type $invocation (eq $invocation')))
    (type $output' (record (field "data" string)))
    (export "output" (type $output (eq $output')))
    (type $failure' (record
      (field "kind" string) (field "message" string)
      (field "code" (option string)) (field "details" (option string))))
    (export "failure" (type $failure (eq $failure')))
    (type $error' (variant
      (case "invalid-input" string) (case "denied" string) (case "failed" $failure)
      (case "timeout" string) (case "limit" string)))
    (export "tool-error" (type $error (eq $error')))))
  (alias export $types "invocation" (type $invocation))
  (alias export $types "output" (type $output))
  (alias export $types "tool-error" (type $error))
  ;; host:
  ;; end of host
  (core module $m
    ;; core-imports:
    ;; end of core-imports
    ;; memory:
    (memory (export "memory") 1)
    ;; end of memory
    (global $next (mut i32) (i32.const 4096))
    ;; answer:
    (data (i32.const 1024) "\00\00\00\00\40\04\00\00\04\00\00\00")
    (data (i32.const 1088) "null")
    ;; end of answer
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      ;; realloc:
      global.get $next
      global.get $next
      local.get 3
      i32.add
      i32.const 15
      i32.add
      i32.const -16
      i32.and
      global.set $next
      ;; end of realloc
    )
    (func $run (export "run")
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
      ;; run:
      i32.const 1024
      ;; end of run
    )
    (func (export "post") (param i32)
      ;; post:
      ;; end of post
    )
    ;; more:
    ;; end of more
  )
  ;; instance:
  (core instance $i (instantiate $m))
  ;; end of instance
  (func $run (param "invocation" $invocation) (result (result $output (error $error)))
    (canon lift (core func $i "run") (memory (core memory $i "memory"))
      (realloc (core func $i "realloc")) (post-return (core func $i "post"))))
  (export "run" (func $run))
  ;; exports:
  ;; end of exports
)
