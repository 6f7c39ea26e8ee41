// Why no test of corio restates some of CPython's. Each name was looked at by itself; what a TypeScript library can do
// is "open", and stays in the count.

/** @type {readonly import("./report.mjs").Reason[]} */
export const REASONS = [
  {
    kind: "open",
    title: "streams",
    why: "`open_connection`, `start_server`, `StreamReader`, `StreamWriter`",
    tests: { "test_pep492.py": ["StreamReaderTests.test_readline"] },
  },
  {
    kind: "open",
    title: "subprocesses",
    why: "`create_subprocess_exec`, `create_subprocess_shell`, and what is under them",
    tests: {
      "test_protocols.py": ["ProtocolsAbsTests.test_subprocess_protocol"],
      "test_subprocess.py": ["Subprocess*"],
    },
  },
  {
    kind: "open",
    title: "threads",
    why: "`to_thread`, `run_in_executor`, `call_soon_threadsafe`, `run_coroutine_threadsafe`, `wrap_future`",
    tests: {
      "test_events.py": ["EventLoopTestsMixin.test_call_soon_threadsafe*"],
      "test_futures.py": ["BaseFutureTests.test_wrap_future*"],
      "test_tasks.py": ["RunCoroutineThreadsafeTests.*"],
    },
  },
  {
    kind: "open",
    title: "signal handlers",
    why: "`add_signal_handler`, `remove_signal_handler`",
    tests: {
      "test_unix_events.py": ["SelectorEventLoopSignalTests.*"],
    },
  },
  {
    kind: "open",
    title: "connections and servers",
    why: "`loop.create_connection`, `loop.create_server`, `Server`, over TCP and Unix sockets",
    tests: {
      "test_base_events.py": [
        "BaseEventLoopWithSelectorTests.test_create_connection_*",
        "BaseEventLoopWithSelectorTests.test_create_server_*",
      ],
      "test_events.py": ["EventLoopTestsMixin.test_create_server*", "EventLoopTestsMixin.test_create_unix_*"],
    },
  },
  {
    kind: "open",
    title: "TLS",
    why: "`ssl=`, `start_tls`",
    tests: {
      "test_base_events.py": ["BaseEventLoopWithSelectorTests.test_create_connection_ssl_*"],
      "test_events.py": ["EventLoopTestsMixin.test_create_unix_server_ssl*"],
      "test_ssl.py": ["TestSSL.*"],
      "test_sslproto.py": [
        "SslProtoHandshakeTests.test_get_extra_info_on_closed_connection",
        "BaseStartTLS.*",
      ],
    },
  },
  {
    kind: "open",
    title: "datagrams",
    why: "`loop.create_datagram_endpoint`, `DatagramTransport`, `DatagramProtocol`",
    tests: {
      "test_base_events.py": ["BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_*"],
      "test_events.py": ["EventLoopTestsMixin.test_create_datagram_endpoint*"],
      "test_selector_events.py": ["SelectorDatagramTransportTests.*"],
    },
  },
  {
    kind: "open",
    title: "transports and protocols",
    why: "`Transport`, `Protocol`, `BufferedProtocol`: pausing, limits, closing, errors; `loop.sendfile`",
    tests: {
      "test_selector_events.py": [
        "SelectorTransportTests.*",
        "SelectorSocketTransportTests.*",
        "SelectorSocketTransportBufferedProtocolTests.*",
      ],
      "test_sendfile.py": ["SendfileMixin.*"],
    },
  },
  {
    kind: "open",
    title: "pipes",
    why: "`connect_read_pipe`, `connect_write_pipe`",
    tests: {
      "test_events.py": [
        "EventLoopTestsMixin.test_read_p*",
        "EventLoopTestsMixin.test_write_p*",
        "EventLoopTestsMixin.test_unclosed_pipe_transport",
        "EventLoopTestsMixin.test_bidirectional_pty",
      ],
      "test_unix_events.py": ["UnixWritePipeTransportTests.*"],
    },
  },
  {
    kind: "open",
    title: "the process inspector",
    why: "`python -m asyncio ps` and `pstree`: the tasks of another process",
    tests: { "test_tools.py": ["*"] },
  },
  {
    kind: "no meaning",
    title: "reference counts",
    why: "JavaScript's memory is collected by tracing: cycles are no leaks, and nothing runs when an object goes",
    tests: {
      "test_futures.py": [
        "BaseFutureTests.test_future_del_collect",
        "BaseFutureTests.test_future_cancelled_*_refcycles",
      ],
      "test_ssl.py": [
        "TestSSL.test_create_connection_memory_leak",
        "TestSSL.test_shutdown_timeout_handler_leak",
      ],
      "test_sslproto.py": ["BaseStartTLS.test_create_connection_memory_leak"],
      "test_taskgroups.py": ["*.test_exception_refcycles_*"],
      "test_tasks.py": [
        "BaseTaskTests.test_task_del_collect",
        "BaseTaskTests.test_task_not_crash_without_finalization",
        "BaseTaskTests.test_proper_refcounts",
      ],
    },
  },
  {
    kind: "no meaning",
    title: "the C accelerator",
    why: "that the C version of futures and tasks is there, does not crash, and does as the Python version, whose tests count",
    tests: {
      "test_eager_task_factory.py": ["CEagerTaskFactoryLoopTests.test_issue105987"],
      "test_futures.py": ["CFutureTests.*", "BaseFutureDoneCallbackTests.*_evil_*"],
      "test_tasks.py": ["CTask*", "GenericTaskTests.test_asyncio_module_compiled"],
    },
  },
  {
    kind: "no meaning",
    title: "Python's language",
    why: "`StopIteration`, `__hash__` and comparison operators, `cls[int]`, `__init__` that does not run, keyword arguments that were removed, `__context__`, what counts as a coroutine by its methods",
    tests: {
      "test_events.py": [
        "HandleTests.test_coroutine_like_object_debug_formatting",
        "TimerTests.test_hash",
        "TimerTests.test_timer_comparison",
      ],
      "test_futures.py": [
        "DuckTests.test_wrap_future",
        "BaseFutureTests.test_generic_alias",
        "BaseFutureTests.test_uninitialized",
        "BaseFutureTests.test_stop_iteration_*",
        "BaseFutureTests.test_future_iter_throw",
        "BaseFutureInheritanceTests.*",
      ],
      "test_locks.py": ["LockTests.test_lock_doesnt_accept_loop_parameter"],
      "test_queues.py": ["QueueBasicTests.test_generic_alias"],
      "test_tasks.py": [
        "BaseTaskTests.test_generic_alias",
        "BaseTaskTests.test_exception_chaining_after_await*",
        "BaseTaskTests.test_create_task_with_asynclike_function",
      ],
    },
  },
  {
    kind: "no meaning",
    title: "pickle",
    why: "how errors survive Python's object serialisation",
    tests: { "test_streams.py": ["StreamTests.*_pickleable"] },
  },
  {
    kind: "no meaning",
    title: "hooks for async generators",
    why: "the loop closes generators that were left; JavaScript has no hook that tells of them (see [Differences](differences.md#async-generators))",
    tests: { "test_base_events.py": ["BaseEventLoopTests.test_asyncgen_finalization_*"] },
  },
  {
    kind: "no meaning",
    title: "frames of the engine",
    why: "the engine shows no frames of suspended native functions; an async generator is always one",
    tests: { "test_graph.py": ["CallStackTestBase.test_stack_async_gen"] },
  },
  {
    kind: "no meaning",
    title: "private functions of CPython",
    why: "functions, attributes and hooks with `_` before their names, and tests that replace them by mocks",
    tests: {
      "test_base_events.py": [
        "BaseEventTests.test_ipaddr_info_no_inet_pton",
        "BaseEventLoopTests.test__add_callback_handle",
        "BaseEventLoopTests.test_custom_run_forever_integration",
        "BaseEventLoopWithSelectorTests.test_create_connection_no_inet_pton",
        "TestSelectorUtils.test_set_nodelay",
      ],
      "test_futures.py": [
        "BaseFutureTests.test_copy_state",
        "BaseFutureTests.test_future_cancel_message_setter",
        "BaseFutureTests.test_set_result_unless_cancelled",
      ],
      "test_tasks.py": ["BaseTaskTests.test_task_cancel_message_setter"],
    },
  },
  {
    kind: "no meaning",
    title: "hooks for third-party loops",
    why: "`_register_task`, `_enter_task` and their kin, for other implementations of the event loop and of tasks",
    tests: {
      "test_runners.py": ["RunTests.test_asyncio_run_without_uncancel"],
      "test_tasks.py": ["BaseTaskIntrospectionTests.*"],
    },
  },
  {
    kind: "no meaning",
    title: "abstract classes",
    why: "that methods of an abstract class raise `NotImplementedError`; the compiler checks that here",
    tests: {
      "test_base_events.py": ["BaseEventLoopTests.test_not_implemented"],
      "test_events.py": ["AbstractEventLoopTests.*", "TestAbstractServer.*"],
      "test_transports.py": ["TransportTests.*not_implemented"],
    },
  },
  {
    kind: "no meaning",
    title: "event-loop policies",
    why: "deprecated in Python 3.14, to be removed in 3.16",
    tests: {
      "test_events.py": [
        "PolicyTests.test_*_deprecation",
        "PolicyTests.test_event_loop_policy",
        "PolicyTests.test_get_event_loop_does_not_call_set_event_loop",
        "PolicyTests.test_get_event_loop_thread",
        "PolicyTests.test_get_event_loop_policy",
        "PolicyTests.test_set_event_loop_policy",
      ],
    },
  },
  {
    kind: "no meaning",
    title: "objects shared by threads",
    why: "JavaScript's threads share no loops, tasks or futures, so none can be used from the wrong one; free threading",
    tests: {
      "test_base_events.py": ["BaseEventLoopTests.test_check_thread"],
      "test_free_threading.py": ["*"],
    },
  },
  {
    kind: "no meaning",
    title: "fork",
    why: "a JavaScript process cannot be duplicated while it runs",
    tests: { "test_unix_events.py": ["TestFork.*"] },
  },
  {
    kind: "no meaning",
    title: "raw sockets and file descriptors",
    why: "`sock_*`, `add_reader`, `add_writer`, `sock=`, `TransportSocket`: hosts give out connections, not descriptors",
    tests: {
      "test_base_events.py": [
        "BaseEventLoopWithSelectorTests.test_create_connection_bluetooth",
        "BaseEventLoopWithSelectorTests.test_create_server_stream_bittype",
        "BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_sock",
        "BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_sock_unix",
        "BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_existing_sock_unix",
        "BaseEventLoopWithSelectorTests.test_create_datagram_endpoint_setblk_err",
        "BaseLoopSockSendfileTests.*",
      ],
      "test_events.py": [
        "EventLoopTestsMixin.test_reader_callback",
        "EventLoopTestsMixin.test_writer_callback",
        "EventLoopTestsMixin.test_create_server_trsock",
        "EventLoopTestsMixin.test_prompt_cancellation",
        "EventLoopTestsMixin.test_*_fds_after_closing",
      ],
      "test_sendfile.py": [
        "SockSendfileMixin.test_sock_sendfile_success",
        "SockSendfileMixin.test_sock_sendfile_with_offset_and_count",
        "SockSendfileMixin.test_sock_sendfile_zero_size",
        "SockSendfileMixin.test_sock_sendfile_offset",
        "SockSendfileMixin.test_sock_sendfile_mix_with_regular_send",
      ],
      "test_sock_lowlevel.py": ["*"],
      "test_unix_events.py": [
        "SelectorEventLoopUnixSocketTests.test_create_unix_server_path_inetsock",
        "SelectorEventLoopUnixSocketTests.test_create_unix_server_path_dgram",
        "SelectorEventLoopUnixSocketTests.test_create_unix_server_path_stream_bittype",
        "SelectorEventLoopUnixSocketTests.test_create_unix_connection_path_inetsock",
        "SelectorEventLoopUnixSockSendfileTests.*",
        "TestFunctional.*",
      ],
    },
  },
  {
    kind: "no meaning",
    title: "the selector's inner works",
    why: "mocked sockets, selectors and system calls: partial and interrupted reads and writes, the self-pipe, `set_wakeup_fd`; hosts do that themselves",
    tests: {
      "test_base_events.py": ["BaseEventLoopWithSelectorTests.test_accept_connection_*"],
      "test_events.py": ["EventLoopTestsMixin.test_internal_fds"],
      "test_selector_events.py": [
        "BaseSelectorEventLoopTests.*",
        "SelectorTransportTests.test_ctor",
        "SelectorTransportTests.test_force_close",
        "SelectorTransportTests.test__add_reader",
        "SelectorSocketTransportTests.test_ctor*",
        "SelectorSocketTransportTests.test_*_tryagain*",
        "SelectorSocketTransportTests.test_write_tryagain",
        "SelectorSocketTransportTests.test_write_partial*",
        "SelectorSocketTransportTests.test_write_sendmsg_*",
        "SelectorSocketTransportTests.test_writelines_send*",
        "SelectorSocketTransportTests.test_write_ready*",
        "SelectorSocketTransportTests.test_transport_close_remove_writer",
        "SelectorSocketTransportBufferedProtocolTests.test_ctor",
        "SelectorSocketTransportBufferedProtocolTests.test_*_tryagain*",
        "SelectorDatagramTransportTests.test_transport_inheritance",
        "SelectorDatagramTransportTests.test_*_tryagain",
        "SelectorDatagramTransportTests.test_sendto_ready*",
        "SelectorDatagramTransportTests.test_sendto_sendto_ready*",
      ],
      "test_sendfile.py": [
        "SendfileMixin.test_sendfile_force_unsupported_native",
        "SendfileMixin.test_sendfile_no_fallback_for_fallback_transport",
      ],
      "test_sslproto.py": [
        "SslProtoHandshakeTests.test_fatal_error_no_name_error",
        "SslProtoHandshakeTests.test_connection_lost_when_busy",
        "SslProtoHandshakeTests.test_close_during_ssl_over_ssl",
      ],
      "test_unix_events.py": [
        "SelectorEventLoopSignalTests.test_add_signal_handler_install_error",
        "SelectorEventLoopSignalTests.test_add_signal_handler_install_error2",
        "SelectorEventLoopSignalTests.test_remove_signal_handler_cleanup_error",
        "SelectorEventLoopSignalTests.test_remove_signal_handler_error",
        "SelectorEventLoopSignalTests.test_close_on_finalizing",
        "UnixReadPipeTransportTests.test_ctor",
        "UnixReadPipeTransportTests.test__read_ready_blocked",
        "UnixReadPipeTransportTests.test__close",
        "UnixReadPipeTransportTests.test__call_connection_lost*",
        "UnixWritePipeTransportTests.test_ctor",
        "UnixWritePipeTransportTests.test_write_partial",
        "UnixWritePipeTransportTests.test_write_again",
        "UnixWritePipeTransportTests.test__read_ready",
        "UnixWritePipeTransportTests.test__write_ready*",
        "UnixWritePipeTransportTests.test__call_connection_lost",
      ],
    },
  },
  {
    kind: "no meaning",
    title: "different on purpose",
    why: "see [Differences](differences.md): tasks are held until they are done, `run` takes futures too, and does not make its loop that of the thread",
    tests: {
      "test_tasks.py": ["BaseTaskTests.test_log_destroyed_pending_task"],
      "test_runners.py": [
        "RunTests.test_asyncio_run_set_event_loop",
        "RunnerTests.test_run_future",
        "RunnerTests.test_set_event_loop_called_once",
      ],
    },
  },
  {
    kind: "no meaning",
    title: "Windows",
    why: "CPython's proactor loop, overlapped I/O and named pipes; libuv and the other hosts have their own",
    tests: {
      "test_proactor_events.py": ["*"],
      "test_windows_events.py": ["*"],
      "test_windows_utils.py": ["*"],
    },
  },
];
