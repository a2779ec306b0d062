"""``visdiff-local view RUN``: a page on loopback to work with a run's images and differences.

Built on NiceGUI. It ships every asset it uses (Vue, Quasar, ECharts, the fonts: 29 MB installed),
has no telemetry, opens no connection of its own, and is driven by ordinary Python. Weighed and not
taken: Gradio (telemetry unless switched off, fonts from a CDN, a gallery that loads everything),
Streamlit (telemetry unless switched off, reruns the script at every click, so 100,000 images are
sent again), Panel (loads from a CDN unless told otherwise, twice the size), Dash (callbacks over
JSON, no virtual scrolling without a paid grid), Starlette with hand-written pages (nothing to
maintain but everything to write). The one thing that none of them has, a gallery of 100,000
images that loads what is looked at, is ``gallery.js`` here.

``data`` sorts and filters, ``pictures`` draws thumbnails on demand, ``asking`` scores a new text,
``labelling`` shows images blind to their set, ``page`` and ``panels`` are what is seen, ``guard``
lets nobody else in.
"""
