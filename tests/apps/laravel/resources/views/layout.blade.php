<!doctype html>
<html lang="{{ str_replace('_', '-', app()->getLocale()) }}">
<title>@yield('title')</title>
@if (session('status'))<p class="status">{{ session('status') }}</p>@endif
@yield('content')
</html>
