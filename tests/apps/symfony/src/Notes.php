<?php

namespace App;

use PDO;

class Notes
{
    private $file;
    private $db;

    public function __construct(string $file)
    {
        $this->file = $file;
    }

    private function db(): PDO
    {
        return $this->db ??= new PDO("sqlite:$this->file", null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
    }

    public function install(): void
    {
        $this->db()->exec('DROP TABLE IF EXISTS notes');
        $this->db()->exec('CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL)');
    }

    public function all(): array
    {
        return $this->db()->query('SELECT * FROM notes ORDER BY id LIMIT 50')->fetchAll(PDO::FETCH_ASSOC);
    }

    public function add(string $title, string $text): void
    {
        $this->db()->prepare('INSERT INTO notes (title, text) VALUES (?, ?)')->execute([$title, $text]);
    }
}
