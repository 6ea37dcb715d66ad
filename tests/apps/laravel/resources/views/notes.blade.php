@extends('layout')
@section('title', 'Notes')
@section('content')
<p>Visit {{ $visits }}</p>
<ul>
@forelse ($notes as $note)
<li>{{ $loop->iteration }}: <b>{{ $note->title }}</b> {!! nl2br(e($note->text)) !!}</li>
@empty
<li>none</li>
@endforelse
</ul>
<form method="post" action="/notes">@csrf
<input name="title"><textarea name="text"></textarea>
@error('title')<p class="error">{{ $message }}</p>@enderror
</form>
@endsection
