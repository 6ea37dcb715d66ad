<?php
require 'check.php';
$key = openssl_pkey_new(['private_key_bits' => 2048]);
is('key', $key !== false);
openssl_sign('text', $signature, $key, OPENSSL_ALGO_SHA256);
is('signature', openssl_verify('text', $signature, openssl_pkey_get_details($key)['key'], OPENSSL_ALGO_SHA256), 1);
$iv = random_bytes(12);
$sealed = openssl_encrypt('secret', 'aes-256-gcm', str_repeat('k', 32), OPENSSL_RAW_DATA, $iv, $tag);
is('cipher', openssl_decrypt($sealed, 'aes-256-gcm', str_repeat('k', 32), OPENSSL_RAW_DATA, $iv, $tag), 'secret');
$box = sodium_crypto_secretbox('secret', $n = random_bytes(24), $k = sodium_crypto_secretbox_keygen());
is('sodium', sodium_crypto_secretbox_open($box, $n, $k), 'secret');
is('password', password_verify('p', password_hash('p', PASSWORD_ARGON2ID)));
is('bcrypt', password_verify('p', password_hash('p', PASSWORD_BCRYPT, ['cost' => 5])));
is('hash', hash('xxh3', 'a'), 'e6c632b61e964e1f');
$csr = openssl_csr_new(['commonName' => 'check'], $key);
$file = scratch() . '/a.pem';
openssl_x509_export(openssl_csr_sign($csr, null, $key, 1), $pem);
openssl_pkey_export($key, $private);
file_put_contents($file, $pem . $private);
$context = stream_context_create(['ssl' => ['local_cert' => $file, 'verify_peer' => false,
                                            'verify_peer_name' => false]]);
$server = stream_socket_server('tcp://127.0.0.1:0', $e, $s, STREAM_SERVER_BIND | STREAM_SERVER_LISTEN, $context);
$client = stream_socket_client('tcp://' . stream_socket_get_name($server, false), $e, $s, 5,
                               STREAM_CLIENT_CONNECT, $context);
$peer = stream_socket_accept($server);
stream_set_blocking($peer, false);
stream_set_blocking($client, false);
for ($i = $a = $b = 0; $i < 1000 && !($a === true && $b === true); $i++, usleep(1000)) {
    $a = $a === true ?: stream_socket_enable_crypto($peer, true, STREAM_CRYPTO_METHOD_TLS_SERVER);
    $b = $b === true ?: stream_socket_enable_crypto($client, true, STREAM_CRYPTO_METHOD_TLS_CLIENT);
}
is('tls', [$a, $b], [true, true]);
