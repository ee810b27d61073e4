package main

import (
	"fmt"
	"net"
	"net/http"
)

// An HTTP server on net/http that answers every request with a text. Prints
// "port N" and serves until it is killed.
func serveHTTP() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	handler := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("hello\n"))
	}
	panic(http.Serve(listener, http.HandlerFunc(handler)))
}
