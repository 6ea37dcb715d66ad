<?php

use App\Greeter;
use App\Models\Note;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Cache;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Route;
use Illuminate\Support\Facades\Schema;

Route::get('/hello/{name}', fn (Greeter $greeter, string $name) => $greeter->greet($name));

Route::get('/install', function () {
    touch(config('database.connections.sqlite.database'));
    Schema::dropIfExists('notes');
    Schema::create('notes', function ($table) {
        $table->id();
        $table->string('title');
        $table->text('text');
        $table->timestamps();
    });
    return 'installed';
});

Route::get('/', fn (Request $request) => view('notes', [
    'notes' => Note::orderBy('id')->limit(50)->get(),
    'visits' => tap($request->session()->get('visits', 0) + 1, fn ($n) => $request->session()->put('visits', $n)),
]));

Route::post('/notes', function (Request $request) {
    $values = $request->validate(['title' => 'required|max:50', 'text' => 'required']);
    DB::transaction(fn () => Note::create($values));
    return redirect('/')->with('status', 'saved');
});

Route::get('/cached', fn () => Cache::remember('answer', 60, fn () => 42));
Route::get('/error', fn () => throw new RuntimeException('as asked'));
