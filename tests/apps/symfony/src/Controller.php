<?php

namespace App;

use Psr\Log\LoggerInterface;
use Symfony\Component\HttpFoundation\RedirectResponse;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Contracts\Cache\CacheInterface;
use Twig\Environment;

class Controller
{
    private $notes;
    private $twig;

    public function __construct(Notes $notes, Environment $twig)
    {
        $this->notes = $notes;
        $this->twig = $twig;
    }

    public function notes(Request $request): Response
    {
        $session = $request->getSession();
        $session->set('visits', $visits = $session->get('visits', 0) + 1);
        return new Response($this->twig->render('notes.html.twig', [
            'notes' => $this->notes->all(), 'visits' => $visits,
            'status' => implode($session->getFlashBag()->get('status'))]));
    }

    public function add(Request $request): Response
    {
        if ((string)$request->request->get('title') === '')
            return new Response('no title', 422);
        $this->notes->add($request->request->get('title'), $request->request->get('text'));
        $request->getSession()->getFlashBag()->add('status', 'saved');
        return new RedirectResponse('/');
    }

    public function install(): Response
    {
        $this->notes->install();
        return new Response('installed');
    }

    public function hello(string $name, LoggerInterface $log): Response
    {
        $log->info("greeting $name");
        return new Response("Hello $name");
    }

    public function cached(CacheInterface $cache): Response
    {
        return new Response((string)$cache->get('answer', fn () => 42));
    }

    public function error(): Response
    {
        throw new \RuntimeException('as asked');
    }
}
