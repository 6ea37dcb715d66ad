<?php
require 'check.php';
foreach (['tcp' => '127.0.0.1:0', 'tcp6' => '[::1]:0', 'udp' => '127.0.0.1:0',
          'unix' => scratch() . '/socket'] as $kind => $address) {
    $transport = str_replace('6', '', $kind);
    $server = stream_socket_server("$transport://$address", $e, $s, $kind === 'udp' ? STREAM_SERVER_BIND
                                   : STREAM_SERVER_BIND | STREAM_SERVER_LISTEN);
    is("$kind server", is_resource($server));
    $client = stream_socket_client("$transport://" . stream_socket_get_name($server, false));
    fwrite($client, 'text');
    $text = $kind === 'udp' ? stream_socket_recvfrom($server, 10) : fread(stream_socket_accept($server), 10);
    is("$kind text", $text, 'text');
}
$s = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
is('option', socket_set_option($s, SOL_SOCKET, SO_REUSEADDR, 1) && socket_set_option($s, SOL_TCP, TCP_NODELAY, 1));
is('time limit', socket_set_option($s, SOL_SOCKET, SO_RCVTIMEO, ['sec' => 1, 'usec' => 0]));
is('bind', socket_bind($s, '127.0.0.1') && socket_listen($s, 5));
is('refused', @socket_connect(socket_create(AF_INET, SOCK_STREAM, SOL_TCP), '127.0.0.1', REFUSED), false);
is('pair', socket_create_pair(AF_UNIX, SOCK_STREAM, 0, $pair) && socket_write($pair[0], 'x') === 1
    && socket_read($pair[1], 1) === 'x');
is('descriptor', socket_sendmsg($pair[0], ['iov' => ['a'], 'control' => [['level' => SOL_SOCKET,
    'type' => SCM_RIGHTS, 'data' => [$s]]]]), 1);
$message = ['name' => [], 'buffer_size' => 10, 'controllen' => socket_cmsg_space(SOL_SOCKET, SCM_RIGHTS, 1)];
is('received', socket_recvmsg($pair[1], $message) === 1 && count($message['control']) === 1);
is('addresses', count(socket_addrinfo_lookup('localhost', '80')) > 0);
is('interfaces', isset(net_get_interfaces()['lo']));
